#include "agent/metrics/exposition.h"

#include <array>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/metrics/batch.h"
#include "agent/metrics/parse.h"

namespace manometer::metrics {
namespace {

constexpr Metric kBytes{"a_bytes", "A \"size\" in bytes\\units.", kGauge};
constexpr Metric kEvents{"b_total", "Events.", kCounter};
constexpr Metric kPauses{"c_seconds", "Pauses.", kHistogram};
constexpr Metric kDurations{"d_seconds", "Durations.", kHistogram};
constexpr const char* kHostile = "quote\" backslash\\ newline\n end";

std::vector<prometheus::MetricFamily> families() {
  Batch batch;
  batch.add(kBytes, {{"container", kHostile}}, 1.5e18);
  batch.add(kEvents, {}, 3);
  batch.add_histogram(kPauses, {{"pid", "1"}}, {{"cause", "System.gc()"}}, {}, std::array<uint64_t, 1>{2}, 0.25);
  return batch.take();
}

TEST(OpenMetrics, NamesCountersWithoutTotalAndEnds) {
  EXPECT_EQ(to_open_metrics(families()),
            "# TYPE a_bytes gauge\n"
            "# HELP a_bytes A \\\"size\\\" in bytes\\\\units.\n"
            "a_bytes{container=\"quote\\\" backslash\\\\ newline\\n end\"} 1.5e+18\n"
            "# TYPE b counter\n"
            "# HELP b Events.\n"
            "b_total 3\n"
            "# TYPE c_seconds histogram\n"
            "# HELP c_seconds Pauses.\n"
            "c_seconds_bucket{pid=\"1\",cause=\"System.gc()\",le=\"+Inf\"} 2\n"
            "c_seconds_count{pid=\"1\",cause=\"System.gc()\"} 2\n"
            "c_seconds_sum{pid=\"1\",cause=\"System.gc()\"} 0.25\n"
            "# EOF\n");
}

TEST(OpenMetrics, SpellsTheNumbersThatAreNone) {
  Batch batch;
  batch.add(kBytes, {{"x", "1"}}, std::numeric_limits<double>::infinity());
  batch.add(kBytes, {{"x", "2"}}, -std::numeric_limits<double>::infinity());
  batch.add(kBytes, {{"x", "3"}}, std::nan(""));
  const std::string text = to_open_metrics(batch.take());
  EXPECT_THAT(text, testing::HasSubstr("} +Inf\n"));
  EXPECT_THAT(text, testing::HasSubstr("} -Inf\n"));
  EXPECT_THAT(text, testing::HasSubstr("} NaN\n"));
}

TEST(PrometheusText, IsAsTheFormatSays) {
  EXPECT_EQ(to_prometheus_text(families()),
            "# HELP a_bytes A \"size\" in bytes\\\\units.\n"
            "# TYPE a_bytes gauge\n"
            "a_bytes{container=\"quote\\\" backslash\\\\ newline\\n end\"} 1.5e+18\n"
            "# HELP b_total Events.\n"
            "# TYPE b_total counter\n"
            "b_total 3\n"
            "# HELP c_seconds Pauses.\n"
            "# TYPE c_seconds histogram\n"
            "c_seconds_bucket{pid=\"1\",cause=\"System.gc()\",le=\"+Inf\"} 2\n"
            "c_seconds_count{pid=\"1\",cause=\"System.gc()\"} 2\n"
            "c_seconds_sum{pid=\"1\",cause=\"System.gc()\"} 0.25\n");
}

TEST(PrometheusText, IsReadBackAsItWasWritten) {
  const auto samples = parse_prometheus_text(to_prometheus_text(families()));
  ASSERT_TRUE(samples.ok()) << samples.error().message();
  ASSERT_EQ(samples->size(), 5U);
  EXPECT_EQ((*samples)[0].name, "a_bytes");
  EXPECT_EQ((*samples)[0].labels.at("container"), kHostile);
  EXPECT_EQ((*samples)[0].value, 1.5e18);
  EXPECT_EQ((*samples)[1].name, "b_total");
  EXPECT_EQ((*samples)[2].labels.at("le"), "+Inf");
  EXPECT_EQ((*samples)[3].name, "c_seconds_count");
  EXPECT_EQ((*samples)[4].labels.at("cause"), "System.gc()");
}

std::vector<prometheus::MetricFamily> histogram() {
  Batch batch;
  batch.add_histogram(kDurations, {{"pid", "1"}}, {{"code", "2\"0"}}, std::array{0.00001, 0.0025, 1.0, 10000.0},
                      std::array<uint64_t, 5>{0, 1, 3, 3, 4}, 2.5);
  batch.add_histogram(kDurations, {}, {}, std::array{0.5}, std::array<uint64_t, 2>{0, 0}, 0);
  return batch.take();
}

constexpr const char* kHistogramLines =
    "d_seconds_bucket{pid=\"1\",code=\"2\\\"0\",le=\"1e-05\"} 0\n"
    "d_seconds_bucket{pid=\"1\",code=\"2\\\"0\",le=\"0.0025\"} 1\n"
    "d_seconds_bucket{pid=\"1\",code=\"2\\\"0\",le=\"1.0\"} 3\n"
    "d_seconds_bucket{pid=\"1\",code=\"2\\\"0\",le=\"10000.0\"} 3\n"
    "d_seconds_bucket{pid=\"1\",code=\"2\\\"0\",le=\"+Inf\"} 4\n"
    "d_seconds_count{pid=\"1\",code=\"2\\\"0\"} 4\n"
    "d_seconds_sum{pid=\"1\",code=\"2\\\"0\"} 2.5\n"
    "d_seconds_bucket{le=\"0.5\"} 0\n"
    "d_seconds_bucket{le=\"+Inf\"} 0\n"
    "d_seconds_count 0\n"
    "d_seconds_sum 0\n";

TEST(Formats, WriteHistogramsAlike) {
  EXPECT_EQ(to_prometheus_text(histogram()),
            std::string("# HELP d_seconds Durations.\n# TYPE d_seconds histogram\n") + kHistogramLines);
  EXPECT_EQ(to_open_metrics(histogram()),
            std::string("# TYPE d_seconds histogram\n# HELP d_seconds Durations.\n") + kHistogramLines + "# EOF\n");
}

/// Label values as a container may choose them for its names.
class HostileLabel : public testing::TestWithParam<std::string> {};

TEST_P(HostileLabel, IsReadBackFromBothFormats) {
  Batch batch;
  batch.add(kBytes, {{"container", GetParam()}, {"pid", "1"}}, {{"kind", GetParam()}}, 1);
  const auto made = batch.take();
  const std::string open_metrics = to_open_metrics(made);
  ASSERT_TRUE(open_metrics.ends_with("# EOF\n"));
  for (const std::string& text : {to_prometheus_text(made), open_metrics}) {
    const auto samples = parse_prometheus_text(text);
    ASSERT_TRUE(samples.ok()) << samples.error().message();
    ASSERT_EQ(samples->size(), 1U) << text;
    EXPECT_EQ((*samples)[0].labels.at("container"), label_value(GetParam()));
    EXPECT_EQ((*samples)[0].labels.at("kind"), label_value(GetParam()));
    EXPECT_EQ((*samples)[0].labels.at("pid"), "1");
    EXPECT_EQ((*samples)[0].value, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(All, HostileLabel,
                         testing::Values("", "\"", "\\", "\\\\", "\\\"", "\n", "\\n", "\r\n", "\"} 1\n# EOF\n",
                                         "a=\"b\",c=\"d\"", "{}", "#", "\x1b[2J", "\xff\xfe", std::string(1, '\0'),
                                         std::string(1000, '"'), "\u2028", "x\\"),
                         [](const auto& test) { return std::to_string(test.index); });

/// value as it comes back from a format.
double through(std::string (*format)(const std::vector<prometheus::MetricFamily>&), double value) {
  Batch batch;
  batch.add(kBytes, {}, value);
  return parse_prometheus_text(format(batch.take()))->at(0).value;
}

TEST(Formats, KeepEveryByteOfACount) {
  constexpr double kMost = 9007199254740992;  // 2^53: beyond, a double has no odd numbers
  for (const double value : {0.0, 1.0, 268435456.0, 123456789012345.0, kMost - 1, kMost}) {
    EXPECT_EQ(through(to_prometheus_text, value), value);
    EXPECT_EQ(through(to_open_metrics, value), value);
  }
}

TEST(Formats, KeepEveryDigitOfAFraction) {
  for (const double value : {0.1, 1.0 / 3, 1e-300, -1.5e300, 123456789.123456789}) {
    EXPECT_EQ(through(to_prometheus_text, value), value);
    EXPECT_EQ(through(to_open_metrics, value), value);
  }
}

TEST(ParsePrometheusText, TakesSpecialValuesAndTimestamps) {
  const auto samples = parse_prometheus_text("a +Inf\nb NaN\nc{} 1 1700000000\n\n# comment\n");
  ASSERT_TRUE(samples.ok()) << samples.error().message();
  EXPECT_TRUE(std::isinf((*samples)[0].value));
  EXPECT_TRUE(std::isnan((*samples)[1].value));
  EXPECT_EQ((*samples)[2].value, 1);
}

TEST(ParsePrometheusText, RefusesMalformedLines) {
  for (const char* text : {"a\n", "a{\n", "a{b=\"c\n", "a{b=c} 1\n", "a{b=\"c\"}\n", "a one\n", "a{b=\"c\"}1\n"})
    EXPECT_FALSE(parse_prometheus_text(text).ok()) << text;
}

}  // namespace
}  // namespace manometer::metrics
