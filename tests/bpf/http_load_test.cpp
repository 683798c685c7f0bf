// The load generator sends what it was asked for, counts every answer, and its durations are those of its requests.

#include "tests/bpf/http_load.h"

#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include "tests/bpf/clock.h"
#include "tests/support/child.h"

namespace manometer::test {
namespace {

class HttpLoad : public testing::Test {
 protected:
  HttpLoad() { load_.port = static_cast<uint16_t>(std::stoi(server_.read_line().value())); }

  /// Ends the server; how many requests it says it answered.
  uint64_t answered_by_server() {
    server_.close_stdin();
    return std::stoull(server_.read_line().value());
  }

  void expect_all_answered(const LoadResult& result, uint64_t count) {
    EXPECT_EQ(result.sent, count);
    EXPECT_EQ(result.answered, count);
    EXPECT_EQ(result.failed, 0U);
    EXPECT_EQ(result.duration.count(), count);
    EXPECT_EQ(result.by_status, (std::map<int, uint64_t>{{200, count}}));
    EXPECT_EQ(answered_by_server(), count);
  }

  Child server_{{MANOMETER_FAST_HTTP_SERVER}};
  Load load_;
};

TEST_F(HttpLoad, SendsExactlyTheCountOnItsConnections) {
  load_.connections = 16;
  load_.count = 20'001;
  const LoadResult result = run_load(load_);
  EXPECT_EQ(result.connections_opened, 16U);
  EXPECT_EQ(result.since_due.count(), 0U);
  expect_all_answered(result, 20'001);
}

TEST_F(HttpLoad, OpensAConnectionForEachRequest) {
  load_.connections = 4;
  load_.count = 1'000;
  load_.new_connection_each = true;
  const LoadResult result = run_load(load_);
  EXPECT_EQ(result.connections_opened, 1'000U);
  expect_all_answered(result, 1'000);
}

TEST_F(HttpLoad, StopsWhenToldAndWaitsForWhatIsUnderWay) {
  load_.connections = 8;
  load_.waits = Load::Waits::kSleep;
  load_.until = [](const LoadResult& so_far) { return so_far.answered >= 100; };
  const LoadResult result = run_load(load_);
  EXPECT_GE(result.sent, 100U);
  expect_all_answered(result, result.sent);
}

TEST_F(HttpLoad, SendsNothingBeforeItIsDue) {
  load_.connections = 8;
  load_.count = 500;
  load_.rate = 1'000;
  for (const auto waits : {Load::Waits::kSpin, Load::Waits::kSleep}) {
    load_.waits = waits;
    const uint64_t start = now_ns();
    const LoadResult result = run_load(load_);
    EXPECT_GE(now_ns() - start, 499'000'000U);
    EXPECT_EQ(result.answered, 500U);
    ASSERT_EQ(result.since_due.count(), result.duration.count());
    for (size_t i = 0; i < result.duration.count(); i++)
      EXPECT_GE(result.since_due.all()[i], result.duration.all()[i]) << "request " << i;
  }
}

TEST_F(HttpLoad, CountsTheWaitForAConnectionInTheTimeSinceDue) {
  load_.connections = 1;
  load_.count = 2'000;
  load_.rate = 1e9;  // all due at once
  const uint64_t start = now_ns();
  const LoadResult result = run_load(load_);
  const uint64_t took = now_ns() - start;
  // One after the other: together they take no longer than the run, but the last one waited for all the others.
  EXPECT_LE(result.duration.sum_ns(), took);
  EXPECT_GE(result.since_due.quantile_ns(1) + 2'000, result.duration.sum_ns());
  expect_all_answered(result, 2'000);
}

TEST_F(HttpLoad, LeavesOutHowLateItReadsByThePacketsClock) {
  constexpr std::chrono::milliseconds kLate{20};
  load_.count = 21;
  // Such a request is sent when the look at events is over, so the sleep always comes before its answer is read.
  load_.new_connection_each = true;
  load_.until = [&](const LoadResult&) {
    std::this_thread::sleep_for(kLate);
    return false;
  };
  const auto median = [&](Load::Clock clock) {
    load_.clock = clock;
    return std::chrono::nanoseconds(run_load(load_).duration.quantile_ns(0.5));
  };
  EXPECT_GE(median(Load::Clock::kReader), kLate);
  EXPECT_LT(median(Load::Clock::kPacket), kLate);
}

TEST(HttpLoadTo, NobodyThrows) {
  Load load;
  load.port = 1;
  load.count = 1;
  EXPECT_THROW(run_load(load), std::system_error);
}

TEST(Durations, HaveExactQuantiles) {
  Durations durations;
  for (uint64_t i = 100; i > 0; i--) durations.add(i * 10);
  EXPECT_EQ(durations.count(), 100U);
  EXPECT_EQ(durations.sum_ns(), 50'500U);
  EXPECT_EQ(durations.quantile_ns(0), 10U);
  EXPECT_EQ(durations.quantile_ns(0.01), 10U);
  EXPECT_EQ(durations.quantile_ns(0.5), 500U);
  EXPECT_EQ(durations.quantile_ns(0.501), 510U);
  EXPECT_EQ(durations.quantile_ns(0.99), 990U);
  EXPECT_EQ(durations.quantile_ns(1), 1'000U);
}

TEST(Durations, HaveNoQuantileOfNothing) {
  EXPECT_THROW(Durations().quantile_ns(0.5), std::runtime_error);
}

}  // namespace
}  // namespace manometer::test
