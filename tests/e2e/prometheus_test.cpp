// What Prometheus itself makes of /metrics: its linter, and a server that scrapes both text formats.

#include <array>
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/http/client.h"
#include "agent/http/server.h"
#include "agent/metrics/batch.h"
#include "agent/metrics/exposition.h"
#include "tests/support/agent.h"
#include "tests/support/exporter.h"
#include "tests/support/fake_node.h"
#include "tests/support/perf_data.h"
#include "tests/support/skip.h"
#include "tests/support/source_path.h"

namespace manometer {
namespace {

using test::Agent;
using test::Child;
using test::FakeNode;
using test::PerfData;
using testing::HasSubstr;
using testing::Not;

/// Directory with promtool and prometheus.
const test::Finished& fetched() {
  static const test::Finished kDone = test::run({test::source_path("tests/support/fetch-promtool")});
  return kDone;
}

std::string tool(const std::string& name) {
  return fetched().out.substr(0, fetched().out.find('\n')) + "/" + name;
}

/// JVMs and containers with series of every kind, and a container whose name would break an exposition.
void fill(FakeNode& node) {
  // So young that the agent has seen all its pauses.
  constexpr uint64_t kYoung = 1'000'000'000'000;
  const auto g1 = PerfData::from_fixture("17-g1").build();
  node.add_jvm({.pid = 101, .start_ticks = kYoung, .cgroup = "0::/shop\n"}, g1);
  node.add_jvm({.pid = 102, .start_ticks = kYoung, .cgroup = "0::/a\"b\\c{d},\xFF\n"}, g1);
  node.add_jvm({.pid = 103, .cgroup = "0::/batch\n"}, PerfData::from_fixture("25-generational-zgc").build());
  node.add_jvm({.pid = 104, .cgroup = "0::/batch\n"}, std::vector(32768, std::byte{1}));
  node.write("cgroup/cgroup.controllers", "memory\n");
  node.write("cgroup/shop/cgroup.procs", "");
  node.write("cgroup/shop/memory.max", "1073741824\n");
  node.write("cgroup/shop/memory.current", "700000000\n");
  node.write("cgroup/shop/memory.stat", "anon 500000000\nkernel 10000000\nshmem 1000\ninactive_file 90000000\n");
  node.write("cgroup/shop/memory.events", "low 0\nhigh 2\nmax 3\noom 1\noom_kill 1\n");
  node.write("cgroup/shop/memory.pressure", "some avg10=0.00 total=1500000\nfull avg10=0.00 total=500000\n");
}

class PrometheusTest : public testing::Test {
 protected:
  void SetUp() override {
    if (fetched().code != 0) MANOMETER_SKIP("no promtool: " + fetched().err);
    fill(node_);
    agent_.emplace(
        std::vector<std::string>{"--variant", "sidecar", "--host-proc", node_.proc(), "--host-cgroup", node_.cgroup()});
    ASSERT_TRUE(test::eventually([&] { return agent_->get("/readyz") == "ready\n"; }));
  }

  FakeNode node_;
  std::optional<Agent> agent_;
};

/// Answers with the agent's plain text, whatever is asked for: Prometheus 2.42 cannot be told to want no OpenMetrics.
http::Handler plain_relay(const std::string& agent) {
  return [agent](const http::Request&) {
    auto answer = http::get(agent, "/metrics", test::kPatience);
    return answer ? *std::move(answer) : http::Response(boost::beast::http::status::bad_gateway, 11);
  };
}

/// A Prometheus server that scrapes one target every second.
class Prometheus {
 public:
  explicit Prometheus(const std::string& target) {
    dir_.write("prometheus.yml",
               "global: {scrape_interval: 1s}\nscrape_configs: [{job_name: manometer, static_configs: "
               "[{targets: ['" +
                   target + "']}]}]\n");
    child_.emplace(std::vector<std::string>{
        tool("prometheus"), "--config.file=" + (dir_.path() / "prometheus.yml").string(),
        "--storage.tsdb.path=" + (dir_.path() / "data").string(), "--web.listen-address=127.0.0.1:0"});
    constexpr std::string_view kListening = "\"Listening on\" address=";
    while (const auto line = child_->read_error_line()) {
      const size_t at = line->find(kListening);
      if (at == std::string::npos) continue;
      address_ = line->substr(at + kListening.size());
      return;
    }
    throw std::runtime_error("Prometheus does not listen");
  }
  /// It closes its data before they are removed.
  ~Prometheus() {
    child_->signal(SIGTERM);
    child_->wait();
  }
  Prometheus(const Prometheus&) = delete;
  Prometheus& operator=(const Prometheus&) = delete;

  /// Answer of its HTTP API; empty while it does not answer with success.
  std::string api(const std::string& target) const {
    const auto answer = http::get(address_, "/api/v1/" + target, test::kPatience);
    return answer && answer->result_int() == 200 ? answer->body() : "";
  }
  /// Whether a PromQL expression (percent-encoded) has a result.
  bool has(const std::string& expression) const {
    return api("query?query=" + expression).find("\"result\":[{") != std::string::npos;
  }

 private:
  test::TempDir dir_;
  std::optional<Child> child_;
  std::string address_;
};

/// Waits until the agent is up for Prometheus, with each of its samples a series of its own there.
void expect_scraped(const Prometheus& prometheus, const Agent& agent) {
  ASSERT_TRUE(test::eventually([&] { return prometheus.has("up%20==%201"); })) << prometheus.api("targets");
  EXPECT_TRUE(prometheus.has("manometer_build_info")) << prometheus.api("targets");
  const size_t samples = agent.scrape().size();
  EXPECT_TRUE(prometheus.has("scrape_samples_scraped%20==%20" + std::to_string(samples)));
  constexpr size_t kAddedByPrometheus = 5;  // up and four scrape_...
  EXPECT_TRUE(prometheus.has("count({job=%22manometer%22})%20==%20" + std::to_string(samples + kAddedByPrometheus)))
      << "expected " << samples << ", got " << prometheus.api("query?query=count({job=%22manometer%22})");
}

/// What promtool has to say about a text, and a word on its exit code if that is not 0.
std::string complaints(const std::string& text) {
  Child promtool({tool("promtool"), "check", "metrics"});
  promtool.write_line(text);
  promtool.close_stdin();
  const std::string said = promtool.read_all() + promtool.read_all_errors();
  return promtool.wait() == 0 ? said : said + "(failed)";
}

TEST_F(PrometheusTest, LinterHasNothingToSay) {
  EXPECT_EQ(complaints(agent_->get("/metrics")), "");
}

// In OpenMetrics a counter's family has no _total, so the metadata tell the format that was negotiated.
TEST_F(PrometheusTest, ScrapesOpenMetrics) {
  const Prometheus prometheus(agent_->address());
  expect_scraped(prometheus, *agent_);
  EXPECT_THAT(prometheus.api("metadata"), HasSubstr("\"manometer_events_lost\""));
}

TEST_F(PrometheusTest, ScrapesPlainText) {
  const test::Exporter relay(plain_relay(agent_->address()));
  const Prometheus prometheus(relay.address());
  expect_scraped(prometheus, *agent_);
  EXPECT_THAT(prometheus.api("metadata"), HasSubstr("\"manometer_events_lost_total\""));
  EXPECT_THAT(prometheus.api("metadata"), Not(HasSubstr("\"manometer_events_lost\"")));
}

std::vector<prometheus::MetricFamily> histogram() {
  constexpr metrics::Metric kDuration{"duration_seconds", "Duration.", metrics::kHistogram};
  metrics::Batch batch;
  batch.add_histogram(kDuration, {{"pid", "1"}}, {{"code", "200"}}, std::array{0.00001, 0.5, 1.0},
                      std::array<uint64_t, 4>{0, 2, 4, 5}, 2.5);
  return batch.take();
}

class PrometheusHistogram : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (fetched().code != 0) MANOMETER_SKIP("no promtool: " + fetched().err);
  }
};

TEST_P(PrometheusHistogram, IsTakenAsOne) {
  const bool open_metrics = GetParam();
  const test::Exporter exporter([open_metrics](const http::Request& request) {
    return http::make_response(
        request, boost::beast::http::status::ok,
        open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4",
        open_metrics ? metrics::to_open_metrics(histogram()) : metrics::to_prometheus_text(histogram()));
  });
  const Prometheus prometheus(exporter.address());
  EXPECT_TRUE(test::eventually([&] { return prometheus.has("duration_seconds_count%20==%205"); }))
      << prometheus.api("targets");
  EXPECT_TRUE(prometheus.has("duration_seconds_bucket{le=%221.0%22,code=%22200%22}%20==%204"));
  EXPECT_TRUE(prometheus.has("histogram_quantile(0.6,duration_seconds_bucket)%20==%200.75"));
  EXPECT_THAT(prometheus.api("metadata"), HasSubstr("\"type\":\"histogram\""));
}

INSTANTIATE_TEST_SUITE_P(Both, PrometheusHistogram, testing::Bool(),
                         [](const auto& test) { return test.param ? "OpenMetrics" : "PlainText"; });

TEST(PrometheusHistogramLint, HasNothingToSay) {
  if (fetched().code != 0) MANOMETER_SKIP("no promtool: " + fetched().err);
  EXPECT_EQ(complaints(metrics::to_prometheus_text(histogram())), "");
}

}  // namespace
}  // namespace manometer
