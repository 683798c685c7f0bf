// The process probe under a storm of processes. Fake JVMs show that it works: no scan and no sample would tell of them
// within the test.

#include <algorithm>
#include <csignal>
#include <memory>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/support/agent.h"
#include "tests/support/perf_data.h"
#include "tests/support/skip.h"
#include "tests/support/temp_dir.h"

namespace manometer {
namespace {

using test::Agent;
using test::Child;

std::vector<std::string> arguments() {
  return {"--bpf", "auto", "--scan-interval", "3600s", "--sample-interval", "60s"};
}

double own(const Agent& agent, const std::string& metric) {
  return agent.scrape().value(metric).value_or(-1);
}

/// Runs a program that does nothing, many times, a few of them at once.
void burst(int processes) {
  constexpr int kAtOnce = 8;
  char name[] = "true";
  char* arguments[] = {name, nullptr};
  char* environment[] = {nullptr};
  for (int begun = 0; begun < processes;) {
    std::vector<pid_t> pids;
    for (; begun < processes && pids.size() < kAtOnce; ++begun) {
      pid_t pid = -1;
      ASSERT_EQ(::posix_spawn(&pid, "/bin/true", nullptr, nullptr, arguments, environment), 0);
      pids.push_back(pid);
    }
    for (const pid_t pid : pids) ::waitpid(pid, nullptr, 0);
  }
}

/// A process that looks like a JVM (support/fake_jvm.cpp) on this very machine.
class FakeJvmProcess {
 public:
  FakeJvmProcess() {
    const auto region = test::PerfData::from_fixture("17-g1").build();
    dir_.write("hsperfdata_test/1", {reinterpret_cast<const char*>(region.data()), region.size()});
    dir_.write("libjvm.so", "no library");
    child_.emplace(
        std::vector<std::string>{MANOMETER_FAKE_JVM, dir_.path() / "libjvm.so", dir_.path() / "hsperfdata_test" / "1"});
    EXPECT_EQ(child_->read_line(), "mapped");
  }

  void end() {
    child_->close_stdin();
    child_->wait();
  }
  bool is_read_by(const Agent& agent) const {
    const std::string pid = std::to_string(child_->pid());
    return agent.scrape().value("manometer_jvm_info", {{"pid", pid}, {"tier", "hsperfdata"}}).has_value();
  }

 private:
  test::TempDir dir_;
  std::optional<Child> child_;
};

/// Expects that the agent learns of processes that begin and end.
void expect_sees_processes(const Agent& agent) {
  FakeJvmProcess jvm;
  EXPECT_TRUE(test::eventually([&] { return jvm.is_read_by(agent); }));
  jvm.end();
  // Before the next sample could tell, too.
  constexpr std::chrono::seconds kSooner{20};
  EXPECT_TRUE(test::eventually([&] { return !jvm.is_read_by(agent); }, kSooner));
}

class Churn : public testing::Test {
 protected:
  void SetUp() override {
    if (agent_.scrape().value("manometer_probe_attached", {{"probe", "process"}}) != 1)
      MANOMETER_SKIP("this kernel does not take the process probe; `manometer check` says why");
  }

  Agent agent_{arguments()};
};

TEST_F(Churn, AStormOfProcessesLeavesTheAgentAsItWas) {
  constexpr int kWarmUp = 1000;
  constexpr int kStorm = 5000;
  constexpr double kMegabyte = 1 << 20;
  burst(kWarmUp);  // so that what is allocated once is there
  expect_sees_processes(agent_);
  const double fds = own(agent_, "process_open_fds");
  const double bytes = own(agent_, "process_resident_memory_bytes");
  burst(kStorm);
  expect_sees_processes(agent_);
  EXPECT_TRUE(test::eventually([&] { return own(agent_, "process_open_fds") <= fds; }));
  EXPECT_LT(own(agent_, "process_resident_memory_bytes"), bytes + kMegabyte);
  // The ring has room for four times as many events, so that even an agent that slept through it all lost none.
  EXPECT_EQ(agent_.scrape().sum("manometer_events_lost_total"), 0);
}

TEST_F(Churn, NoJvmThatStartsInAStormIsLost) {
  constexpr int kJvms = 10;
  constexpr int kStorm = 4000;
  std::vector<std::unique_ptr<FakeJvmProcess>> jvms;
  for (int i = 0; i < kJvms; ++i) {
    burst(kStorm / kJvms);
    jvms.push_back(std::make_unique<FakeJvmProcess>());
  }
  const auto is_read = [&](const auto& jvm) { return jvm->is_read_by(agent_); };
  EXPECT_TRUE(test::eventually([&] { return std::ranges::all_of(jvms, is_read); }));
}

TEST_F(Churn, LostEventsAreCountedAndHealed) {
  // The ring has room for 43,690 events of two for each process.
  constexpr int kTooMany = 23000;
  Agent stopped({"--bpf", "auto", "--scan-interval", "1s", "--sample-interval", "1s"});
  FakeJvmProcess early;
  ASSERT_TRUE(test::eventually([&] { return early.is_read_by(stopped); }));
  stopped.child().signal(SIGSTOP);
  burst(kTooMany);
  early.end();
  const FakeJvmProcess late;
  stopped.child().signal(SIGCONT);
  EXPECT_TRUE(test::eventually([&] { return late.is_read_by(stopped) && !early.is_read_by(stopped); }));
  EXPECT_GT(stopped.scrape().value("manometer_events_lost_total", {{"reason", "process_ring_full"}}), 0);
}

}  // namespace
}  // namespace manometer
