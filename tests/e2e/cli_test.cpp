// The agent as a person starts and stops it.

#include <array>
#include <csignal>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/metrics/batch.h"
#include "agent/metrics/exposition.h"
#include "tests/support/agent.h"
#include "tests/support/exporter.h"
#include "tests/support/fake_node.h"
#include "tests/support/perf_data.h"

namespace manometer {
namespace {

using test::agent_binary;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// Runs the agent to its end and expects that it asks the user for something.
std::string complaint(std::vector<std::string> arguments, const std::vector<std::string>& environment = {}) {
  arguments.insert(arguments.begin(), agent_binary());
  const test::Finished finished = test::run(arguments, environment);
  EXPECT_EQ(finished.code, 2);
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(std::ranges::count(finished.err, '\n'), 1) << finished.err;
  EXPECT_THAT(finished.err, StartsWith("manometer: "));
  return finished.err;
}

TEST(Cli, ComplaintsAreOneLineAndExitCode2) {
  EXPECT_THAT(complaint({}), HasSubstr("run, check or top"));
  EXPECT_THAT(complaint({"walk"}), AllOf(HasSubstr("walk"), HasSubstr("run, check or top")));
  EXPECT_THAT(complaint({"run", "--listne", "x"}), HasSubstr("--listne"));
  EXPECT_THAT(complaint({"run", "--log-level", "loud"}), AllOf(HasSubstr("--log-level"), HasSubstr("debug")));
  EXPECT_THAT(complaint({"run", "--host-proc", "/nonexistent"}),
              AllOf(HasSubstr("--host-proc"), HasSubstr("/nonexistent")));
  EXPECT_THAT(complaint({"run", "--variant", "pod"}), AllOf(HasSubstr("--variant"), HasSubstr("node")));
  EXPECT_THAT(complaint({"run", "--buckets", "1,0.5"}), AllOf(HasSubstr("--buckets"), HasSubstr("ascending")));
  EXPECT_THAT(complaint({"run", "--route", "api"}), AllOf(HasSubstr("--route"), HasSubstr("'/'")));
  EXPECT_THAT(complaint({"run", "--variant", "sidecar", "--listen", "nowhere"}),
              AllOf(HasSubstr("--listen"), HasSubstr("HOST:PORT")));
  EXPECT_THAT(complaint({"run", "--variant", "sidecar", "--listen", "127.0.0.1:99999"}), HasSubstr("0 to 65535"));
  EXPECT_THAT(complaint({"run"}, {"MANOMETER_SCAN_INTERVAL=soon"}), HasSubstr("--scan-interval"));
  EXPECT_THAT(complaint({"top", "--agent", "127.0.0.1:1"}), HasSubstr("no agent answers at 127.0.0.1:1"));
}

TEST(Cli, TheAgentTakesAllTheOpenFilesItMay) {
  const test::FakeNode node;
  test::Agent agent({"--variant", "sidecar", "--host-proc", node.proc()}, {}, {"prlimit", "--nofile=128:512"});
  std::ifstream limits(fmt::format("/proc/{}/limits", agent.child().pid()));
  const std::string text(std::istreambuf_iterator<char>(limits), {});
  EXPECT_THAT(text, testing::ContainsRegex("Max open files +512 +512"));
}

TEST(Cli, ABusyPortIsNamed) {
  const test::Agent agent({"--variant", "sidecar"});
  EXPECT_THAT(complaint({"run", "--variant", "sidecar", "--listen", agent.address()}),
              AllOf(HasSubstr("--listen " + agent.address()), HasSubstr("in use")));
}

TEST(Cli, FlagsThatDoNothingAreNamed) {
  const test::Agent silent({"--variant", "sidecar"});
  EXPECT_THAT(silent.log_at_start(), Not(HasSubstr("--watch")));
  for (const std::vector<std::string>& flags : {std::vector<std::string>{"--route", "/api/"}, {"--watch", "exe:/x"}}) {
    std::vector<std::string> arguments{"--variant", "sidecar"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    EXPECT_THAT(test::Agent(arguments).log_at_start(), HasSubstr("--route and --watch do nothing without"));
  }
}

TEST(Cli, HelpAndVersionAreNoComplaints) {
  const test::Finished help = test::run({agent_binary(), "run", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("--sample-interval"));
  EXPECT_EQ(test::run({agent_binary(), "--version"}).code, 0);
}

class Stopping : public testing::TestWithParam<int> {};

TEST_P(Stopping, ASignalEndsItWithExitCode0) {
  test::Agent agent({"--variant", "sidecar"});
  agent.child().signal(GetParam());
  EXPECT_EQ(agent.child().wait(), 0);
}

INSTANTIATE_TEST_SUITE_P(All, Stopping, testing::Values(SIGTERM, SIGINT),
                         [](const auto& test) { return test.param == SIGTERM ? "Sigterm" : "Sigint"; });

TEST(Cli, EndsWithItsStandardInputWhereAsked) {
  test::Agent agent({"--variant", "sidecar", "--stop-with-stdin"});
  EXPECT_EQ(agent.get("/healthz"), "ok\n");
  agent.child().close_stdin();
  EXPECT_EQ(agent.child().wait(), 0);
}

TEST(Cli, ItsStandardInputIsElseOfNoInterest) {
  test::Agent agent({"--variant", "sidecar"});
  agent.child().close_stdin();
  EXPECT_EQ(agent.get("/healthz"), "ok\n");
}

TEST(Cli, TopPrintsOneTable) {
  const test::FakeNode node;
  const test::Agent agent({"--variant", "sidecar", "--host-proc", node.proc()});
  const test::Finished top =
      test::run({agent_binary(), "top", "--agent", agent.address(), "--once", "--interval", "500ms"});
  EXPECT_EQ(top.code, 0);
  EXPECT_THAT(top.out, AllOf(HasSubstr("CONTAINER"), HasSubstr("no JVM runs here")));
  EXPECT_EQ(top.out.find('\x1b'), std::string::npos) << "plain where it is no terminal";
}

/// Answers as an agent that watches a server which is no JVM, and of which 10 more requests came with every scrape.
http::Handler ten_more_requests() {
  return [count = uint64_t{0}](const http::Request& request) mutable {
    constexpr metrics::Metric kDuration{"manometer_http_request_duration_seconds", "D.", metrics::kHistogram};
    count += 10;
    metrics::Batch batch;
    batch.add_histogram(kDuration, {{"container", "nginx"}, {"pid", "7"}}, {{"code", "500"}}, std::array{0.01, 0.02},
                        std::array<uint64_t, 3>{0, count, count}, 1);
    return http::make_response(request, boost::beast::http::status::ok, "text/plain",
                               metrics::to_prometheus_text(batch.take()));
  };
}

TEST(Cli, TopPrintsATableOfRequestsToo) {
  const test::Exporter agent(ten_more_requests());
  const test::Finished top =
      test::run({agent_binary(), "top", "--agent", agent.address(), "--once", "--interval", "500ms"});
  EXPECT_EQ(top.code, 0);
  EXPECT_THAT(top.out, testing::ContainsRegex("no JVM runs here\n\nREQUESTS .*\nCONTAINER, PID .*\n"
                                              "nginx .* 100 p50      -      -      -   15ms      -         -\n"
                                              "pid 7 .*  20ms\n"));
}

TEST(Cli, CheckOfTheSidecarSaysWhatIsMissing) {
  const test::Finished json = test::run({agent_binary(), "check", "--variant", "sidecar", "--output", "json"});
  EXPECT_EQ(json.code, 0);
  EXPECT_THAT(json.out,
              AllOf(StartsWith("{\"variant\":\"sidecar\",\"sufficient\":true"), HasSubstr("\"container memory\"")));
  const test::Finished table = test::run({agent_binary(), "check", "--variant", "sidecar"});
  EXPECT_THAT(table.out, HasSubstr("The sidecar variant works here."));
}

TEST(Cli, CheckSaysWhereTheNamesOfPodsAre) {
  const test::FakeNode node;
  const std::vector<std::string> check{agent_binary(), "check", "--variant", "sidecar", "--host-log", node.log()};
  EXPECT_THAT(test::run(check).out, testing::ContainsRegex("names of pods +missing .*/log/pods(.|\n)*--host-log"));
  node.write("log/pods/README", "");
  EXPECT_THAT(test::run(check).out, testing::ContainsRegex("names of pods +ok +in .*/log/pods"));
}

TEST(Cli, CheckReadsMoreJvmsThanItMayHaveFilesOpenAtFirst) {
  constexpr pid_t kFirst = 100;
  constexpr int kJvms = 100;
  test::FakeNode node;
  for (int i = 0; i < kJvms; ++i)
    node.add_jvm({.pid = kFirst + i, .namespace_pid = kFirst + i}, test::PerfData::from_fixture("17-g1").build());
  const test::Finished check =
      test::run({"sh", "-c", R"(ulimit -S -n 64 && exec "$0" check --variant sidecar --host-proc "$1")", agent_binary(),
                 node.proc()});
  size_t read = 0;
  for (size_t at = 0; (at = check.out.find("  hsperfdata  ", at)) != std::string::npos; ++at) ++read;
  EXPECT_EQ(read, kJvms) << check.out;
}

TEST(Cli, CheckFailsWithoutTheMinimum) {
  const test::FakeNode node;  // without a process
  const test::Finished check = test::run({agent_binary(), "check", "--variant", "sidecar", "--host-proc", node.proc()});
  EXPECT_EQ(check.code, 2);
  EXPECT_THAT(check.out, AllOf(HasSubstr("processes              missing"), HasSubstr("does NOT work")));
}

}  // namespace
}  // namespace manometer
