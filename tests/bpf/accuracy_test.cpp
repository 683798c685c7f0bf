// The durations that the kernel measures are those that the clients measured themselves, whatever kind of server it is
// and however long requests wait for it.

#include <algorithm>
#include <atomic>
#include <list>
#include <memory>
#include <ostream>
#include <thread>

#include <gtest/gtest.h>

#include "tests/bpf/fine_histogram.h"
#include "tests/bpf/freeze.h"
#include "tests/bpf/http_load.h"
#include "tests/bpf/java_server.h"
#include "tests/support/agent.h"
#include "tests/support/skip.h"

namespace manometer::test {
namespace {

using namespace std::chrono_literals;

constexpr int kJdk = 21;  // the first that has all kinds
constexpr double kNsPerSecond = 1e9;
constexpr double kQuantileTolerance = 0.02;
constexpr double kSumTolerance = 0.01;
const std::string kPrefix = "manometer_http_request_";

/// One agent for all, and a server that it watches.
class RequestAccuracy : public testing::Test {
 protected:
  static void SetUpTestSuite() { agent = std::make_unique<Agent>(); }
  static void TearDownTestSuite() { agent.reset(); }

  /// Throws if the agent does not come to watch it.
  static void await_watched(const LabelMap& labels) {
    const Scraped scraped = agent->scrape_until([&](const Scraped& now) { return in_flight(now, labels) == 0; });
    if (in_flight(scraped, labels) != 0) throw std::runtime_error("the agent does not watch the server");
  }

  static std::optional<double> in_flight(const Scraped& scraped, const LabelMap& labels) {
    return scraped.value("manometer_http_requests_in_flight", labels);
  }

  static void expect_same(const LoadResult& clients, const LabelMap& labels, pid_t pid);
  static void expect_quantiles(const LoadResult& clients, const FineHistogram& kernel);

  static std::unique_ptr<Agent> agent;
};

std::unique_ptr<Agent> RequestAccuracy::agent;

void RequestAccuracy::expect_quantiles(const LoadResult& clients, const FineHistogram& kernel) {
  EXPECT_EQ(kernel.count(), clients.answered);
  for (const double share : {0.5, 0.99}) {
    const auto truth = static_cast<double>(clients.duration.quantile_ns(share));
    const Slot slot = kernel.quantile(share);
    EXPECT_NEAR(slot.middle_ns(), truth, kQuantileTolerance * truth + slot.half_width_ns()) << "p" << share * 100;
  }
}

void RequestAccuracy::expect_same(const LoadResult& clients, const LabelMap& labels, pid_t pid) {
  EXPECT_EQ(clients.failed, 0U);
  LabelMap good = labels;
  good.insert({{"method", "GET"}, {"code", "200"}});
  const auto sent = static_cast<double>(clients.sent);
  const Scraped scraped = agent->scrape_until(
      [&](const Scraped& now) { return now.sum(kPrefix + "duration_seconds_count", labels) >= sent; });
  EXPECT_EQ(scraped.sum(kPrefix + "duration_seconds_count", labels), sent);
  EXPECT_EQ(scraped.sum(kPrefix + "duration_seconds_count", good), sent);
  EXPECT_EQ(scraped.sum("manometer_http_unmatched_total", labels), 0);
  EXPECT_EQ(in_flight(scraped, labels), 0);

  const double truth = static_cast<double>(clients.duration.sum_ns()) / kNsPerSecond;
  const double sum = scraped.sum(kPrefix + "duration_seconds_sum", labels);
  EXPECT_NEAR(sum, truth, kSumTolerance * truth);
  double stages = 0;
  for (const char* stage : {"queue", "processing", "transfer"}) {
    EXPECT_EQ(scraped.sum(kPrefix + stage + "_seconds_count", labels), sent) << stage;
    stages += scraped.sum(kPrefix + stage + "_seconds_sum", labels);
  }
  EXPECT_NEAR(stages, sum, 1e-6 * sum) << "the stages are all of the duration";

  const auto kernel = fine_histogram(*agent, pid);
  ASSERT_TRUE(kernel) << kernel.error().message();
  expect_quantiles(clients, *kernel);
}

struct Case {
  std::string kind;
  size_t connections = 0;
};

std::ostream& operator<<(std::ostream& out, const Case& one) {
  return out << one.kind << " with " << one.connections << " connections";
}

class RequestAccuracyOf : public RequestAccuracy, public testing::WithParamInterface<Case> {};

TEST_P(RequestAccuracyOf, AServerWithOneWorker) {
  const auto jdk = fetch_jdk(kJdk);
  if (!jdk) MANOMETER_SKIP(jdk.error().message());
  if (const auto reason = why_no_server(*jdk, GetParam().kind)) MANOMETER_SKIP(*reason);
  const JavaServer server(*jdk, {.kind = GetParam().kind, .threads = 1, .service = 5ms});
  await_watched(server.labels());
  Load load;
  load.port = server.port();
  load.connections = GetParam().connections;
  load.count = 600;
  load.waits = Load::Waits::kSleep;
  load.clock = Load::Clock::kPacket;
  expect_same(run_load(load), server.labels(), server.pid());
}

std::vector<Case> all_cases() {
  std::vector<Case> out;
  for (const char* kind : {"jdk", "nio", "nio-executor", "blocking", "virtual", "tomcat"})
    for (const size_t connections : {1U, 5U, 20U, 50U}) out.push_back({kind, connections});
  return out;
}

INSTANTIATE_TEST_SUITE_P(All, RequestAccuracyOf, testing::ValuesIn(all_cases()), [](const auto& test) {
  std::string name = test.param.kind + "_" + std::to_string(test.param.connections);
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST_F(RequestAccuracy, HoldsAcrossFreezesOfTheJvm) {
  const auto jdk = fetch_jdk(kJdk);
  if (!jdk) MANOMETER_SKIP(jdk.error().message());
  if (const auto reason = why_no_server(*jdk, "tomcat")) MANOMETER_SKIP(*reason);
  const JavaServer server(*jdk, {.kind = "tomcat", .threads = 64, .service = 5ms});
  await_watched(server.labels());
  std::atomic<bool> done = false;
  Load load;
  load.port = server.port();
  load.connections = 400;  // more than come while it is frozen
  load.rate = 1'000;
  load.waits = Load::Waits::kSleep;
  load.clock = Load::Clock::kPacket;
  load.until = [&](const LoadResult&) { return done.load(); };
  LoadResult result;
  std::jthread client([&] { result = run_load(load); });
  freeze(server.pid(), 5, 300ms, 500ms);
  done = true;
  client.join();
  expect_same(result, server.labels(), server.pid());
}

/// A server, and a client that sends it so many requests per second for a minute.
struct Counted {
  explicit Counted(uint64_t rate) : server({MANOMETER_FAST_HTTP_SERVER}) {
    load.port = static_cast<uint16_t>(std::stoi(server.read_line().value()));
    load.rate = static_cast<double>(rate);
    load.count = rate * 60;
    load.connections = 64;
    load.waits = Load::Waits::kSleep;
  }

  LabelMap labels() const { return {{"pid", std::to_string(server.pid())}}; }
  double observed(const Scraped& now) const { return now.sum(kPrefix + "duration_seconds_count", labels()); }

  Child server;
  Load load;
  LoadResult result;
};

TEST(RequestCounts, AreExactForAMinuteAtEveryRate) {
  const Agent agent({"--watch", "exe:*/fast_http_server"});
  std::list<Counted> all;
  for (const uint64_t rate : {1U, 1'000U, 50'000U}) all.emplace_back(rate);
  for (const Counted& one : all) {
    agent.scrape_until(
        [&](const Scraped& now) { return now.value("manometer_http_requests_in_flight", one.labels()) == 0; });
  }
  {
    std::vector<std::jthread> clients;
    for (Counted& one : all) clients.emplace_back([&one] { one.result = run_load(one.load); });
  }
  for (Counted& one : all) {
    SCOPED_TRACE(one.load.rate);
    ASSERT_EQ(one.result.answered, one.load.count);
    const auto sent = static_cast<double>(one.load.count);
    const Scraped scraped = agent.scrape_until([&](const Scraped& now) { return one.observed(now) >= sent; });
    EXPECT_EQ(one.observed(scraped), sent);
    EXPECT_EQ(scraped.sum("manometer_http_unmatched_total", one.labels()), 0);
    one.server.close_stdin();
    EXPECT_EQ(std::stoull(one.server.read_line().value()), one.load.count);
  }
}

}  // namespace
}  // namespace manometer::test
