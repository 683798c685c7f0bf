#include "agent/cli/requests_table.h"

#include <algorithm>
#include <array>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/metrics/batch.h"
#include "agent/metrics/exposition.h"

namespace manometer::cli {
namespace {

using metrics::Labels;
using metrics::Metric;
using testing::HasSubstr;
using testing::Not;

constexpr Metric kQueue{"manometer_http_request_queue_seconds", "Q.", metrics::kHistogram};
constexpr Metric kProcessing{"manometer_http_request_processing_seconds", "P.", metrics::kHistogram};
constexpr Metric kTransfer{"manometer_http_request_transfer_seconds", "T.", metrics::kHistogram};
constexpr Metric kDuration{"manometer_http_request_duration_seconds", "D.", metrics::kHistogram};
constexpr Metric kInFlight{"manometer_http_requests_in_flight", "I.", metrics::kGauge};
constexpr Metric kUnread{"manometer_http_oldest_unread_seconds", "U.", metrics::kGauge};
constexpr std::array kBounds{0.001, 0.01, 0.1};

/// Counts at or below each of kBounds, and of all.
using Counts = std::array<uint64_t, 4>;

class Exported {
 public:
  Exported& add(const Metric& metric, const Labels& target, const Labels& more, const Counts& counts) {
    batch_.add_histogram(metric, target, more, kBounds, counts, 1);
    return *this;
  }
  Exported& add(const Metric& metric, const Labels& target, double value) {
    batch_.add(metric, target, value);
    return *this;
  }
  TopScrape at(int seconds) {
    return {*metrics::parse_prometheus_text(metrics::to_prometheus_text(batch_.take())),
            TimePoint(std::chrono::seconds(seconds))};
  }

 private:
  metrics::Batch batch_;
};

const Labels kShop{{"container", "shop"}, {"pid", "7"}};
const Labels kBatch{{"container", "batch"}, {"pid", "8"}};

TEST(RequestsTable, ShowsWhatCameBetweenTwoScrapes) {
  const auto before = Exported()
                          .add(kQueue, kShop, {}, {100, 100, 100, 100})
                          .add(kDuration, kShop, {{"method", "GET"}, {"code", "200"}}, {100, 100, 100, 100})
                          .at(10);
  const auto now = Exported()
                       .add(kQueue, kShop, {}, {100, 300, 300, 300})
                       .add(kProcessing, kShop, {}, {100, 200, 200, 200})
                       .add(kTransfer, kShop, {}, {200, 200, 200, 200})
                       .add(kDuration, kShop, {{"method", "GET"}, {"code", "200"}}, {100, 100, 250, 250})
                       .add(kDuration, kShop, {{"method", "POST"}, {"code", "503"}}, {0, 0, 0, 50})
                       .add(kInFlight, kShop, 3)
                       .add(kUnread, kShop, 1.25)
                       .at(20);
  EXPECT_EQ(draw_requests(make_requests_rows(before, now)),
            "REQUESTS (quantiles are interpolated within buckets, as by histogram_quantile)\n"
            "CONTAINER, PID       REQ/S ERR%      QUEUE   PROC   XFER  TOTAL UNREAD IN FLIGHT\n"
            "shop                  20.0 25.0 p50  5.5ms <1.0ms <1.0ms   70ms   1.2s         3\n"
            "pid 7                           p99  9.9ms  9.8ms <1.0ms  100ms\n");
}

TEST(RequestsTable, WithoutAnEarlierScrapeThereAreNoRatesAndNoQuantiles) {
  const auto now = Exported()
                       .add(kQueue, kShop, {}, {1, 1, 1, 1})
                       .add(kDuration, kShop, {}, {1, 1, 1, 1})
                       .add(kInFlight, kShop, 0)
                       .at(1);
  EXPECT_THAT(draw_requests(make_requests_rows(std::nullopt, now)),
              HasSubstr("shop                     -    - p50      -      -      -      -      -         0\n"));
}

TEST(RequestsTable, ATargetThatIsIdleHasARateAndNothingElse) {
  const auto before = Exported().add(kDuration, kShop, {{"code", "500"}}, {1, 1, 1, 1}).at(0);
  const auto now = Exported().add(kDuration, kShop, {{"code", "500"}}, {1, 1, 1, 1}).at(10);
  const auto rows = make_requests_rows(before, now);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].per_second, 0);
  EXPECT_FALSE(rows[0].error_ratio);
  EXPECT_FALSE(rows[0].duration.p50);
}

TEST(RequestsTable, ATargetThatIsNewBeganAtZero) {
  const auto before = Exported().at(0);
  const auto now = Exported().add(kDuration, kShop, {{"code", "200"}}, {0, 30, 30, 30}).at(10);
  EXPECT_EQ(make_requests_rows(before, now).at(0).per_second, 3);
}

TEST(RequestsTable, OnlyCodesOf5xxAreErrors) {
  const auto before = Exported().at(0);
  Exported exported;
  for (const char* code : {"200", "404", "500", "599", "other", "5", "50"})
    exported.add(kDuration, kShop, {{"code", code}}, {1, 1, 1, 1});
  exported.add(kDuration, kShop, {{"protocol", "tls"}}, {1, 1, 1, 1});
  EXPECT_EQ(make_requests_rows(before, exported.at(1)).at(0).error_ratio, 2.0 / 8);
}

TEST(RequestsTable, TheLongestQueueComesFirst) {
  const auto before = Exported().at(0);
  const Labels idle{{"container", "aaa"}, {"pid", "1"}};
  const auto now = Exported()
                       .add(kQueue, kBatch, {}, {1, 1, 1, 1})
                       .add(kQueue, kShop, {}, {0, 0, 1, 1})
                       .add(kInFlight, idle, 0)
                       .at(1);
  const auto rows = make_requests_rows(before, now);
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].who, "shop");
  EXPECT_EQ(rows[1].who, "batch");
  EXPECT_EQ(rows[2].who, "aaa");
}

TEST(RequestsTable, AnAgentThatRestartedCountsFromZero) {
  const auto before = Exported().add(kDuration, kShop, {{"code", "200"}}, {0, 0, 90, 90}).at(0);
  const auto now = Exported().add(kDuration, kShop, {{"code", "200"}}, {10, 10, 10, 10}).at(10);
  const auto rows = make_requests_rows(before, now);
  EXPECT_EQ(rows.at(0).per_second, 1);
  EXPECT_EQ(rows.at(0).duration.p50, (Quantile{0.001, true}));
}

TEST(RequestsTable, IsNotThereWithoutRequests) {
  const TopScrape now{*metrics::parse_prometheus_text(
                          "manometer_jvm_info{pid=\"1\"} 1\nmanometer_scrape_connections_evicted_total 1\n"),
                      TimePoint()};
  EXPECT_EQ(draw_requests(make_requests_rows(std::nullopt, now)), "");
}

TEST(RequestsTable, FitsIn80ColumnsWhateverTheNamesAndNumbers) {
  const std::string labels =
      "namespace=\"" + std::string(253, 'n') + "\",container=\"evil\x1b[2J\",pid=\"" + std::string(99, '7') + "\"";
  const auto scrape = [&](const char* value, int at) {
    std::ostringstream out;
    for (const char* stage : {"queue", "processing", "transfer", "duration"}) {
      for (const char* le : {"1e300", "nan", "-1", "x", "+Inf"})
        out << "manometer_http_request_" << stage << "_seconds_bucket{" << labels << ",le=\"" << le << "\"} " << value
            << "\nmanometer_http_request_" << stage << "_seconds_count{" << labels << ",code=\"500\"} " << value
            << '\n';
    }
    out << "manometer_http_requests_in_flight{" << labels << "} " << value << '\n'
        << "manometer_http_oldest_unread_seconds{" << labels << "} " << value << '\n';
    return TopScrape{*metrics::parse_prometheus_text(out.str()), TimePoint(std::chrono::seconds(at))};
  };
  for (const char* value : {"0", "1", "1e300", "-1e300", "NaN", "+Inf", "-Inf"}) {
    const std::string table = draw_requests(make_requests_rows(scrape("0", 0), scrape(value, 1)));
    std::istringstream lines(table);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
    EXPECT_TRUE(std::ranges::all_of(table, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); })) << table;
    EXPECT_THAT(table, Not(HasSubstr("nan")));
  }
}

TEST(HumanDuration, HasTwoOrThreeDigitsThatCount) {
  EXPECT_EQ(human_duration(0), "0");
  EXPECT_EQ(human_duration(0.0000014), "1.4us");
  EXPECT_EQ(human_duration(0.00035), "350us");
  EXPECT_EQ(human_duration(0.0009994), "999us");
  EXPECT_EQ(human_duration(0.0009996), "1.0ms");
  EXPECT_EQ(human_duration(0.0052), "5.2ms");
  EXPECT_EQ(human_duration(0.00996), "10ms");
  EXPECT_EQ(human_duration(0.52), "520ms");
  EXPECT_EQ(human_duration(1.3), "1.3s");
  EXPECT_EQ(human_duration(9999), "9999s");
  EXPECT_EQ(human_duration(10'000), "2.8h");
}

}  // namespace
}  // namespace manometer::cli
