#include "agent/metrics/batch.h"

#include <array>
#include <cmath>

#include <gtest/gtest.h>

namespace manometer::metrics {
namespace {

TEST(LabelValue, KeepsWellFormedUtf8) {
  EXPECT_EQ(label_value("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
}

TEST(LabelValue, ReplacesEveryBadByte) {
  EXPECT_EQ(label_value("a\xFF\xC3"), "a\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(label_value("\xC0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD") << "overlong";
  EXPECT_EQ(label_value("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "surrogate";
}

TEST(LabelValue, IsCutBetweenCharacters) {
  const std::string cut = label_value(std::string(kMaxLabelBytes - 1, 'x') + "\xC3\xA9");
  EXPECT_EQ(cut, std::string(kMaxLabelBytes - 1, 'x'));
}

TEST(Batch, GroupsSeriesByFamilyInNameOrder) {
  constexpr Metric kB{"b_bytes", "B.", kGauge};
  constexpr Metric kA{"a_total", "A.", kCounter};
  Batch batch;
  batch.add(kB, {{"pid", "1"}}, 2);
  batch.add(kA, {}, {{"reason", "x"}}, 3);
  batch.add(kB, {{"pid", "2"}}, 4);
  EXPECT_EQ(batch.series(), 3U);

  const auto families = batch.take();
  ASSERT_EQ(families.size(), 2U);
  EXPECT_EQ(families[0].name, "a_total");
  EXPECT_EQ(families[0].metric[0].counter.value, 3);
  EXPECT_EQ(families[1].metric.size(), 2U);
  EXPECT_EQ(families[1].metric[1].gauge.value, 4);
  EXPECT_EQ(batch.series(), 0U);
}

TEST(Batch, AHistogramHasABucketMoreThanBounds) {
  constexpr Metric kDuration{"duration_seconds", "Duration.", kHistogram};
  Batch batch;
  batch.add_histogram(kDuration, {{"pid", "1"}}, {{"code", "200"}, {"route", "/api"}}, std::array{0.1, 1.0},
                      std::array<uint64_t, 3>{1, 3, 4}, 2.5);
  EXPECT_EQ(batch.series(), 1U);
  const auto families = batch.take();
  ASSERT_EQ(families.size(), 1U);
  EXPECT_EQ(families[0].type, kHistogram);
  const auto& [labels, histogram] = std::pair(families[0].metric[0].label, families[0].metric[0].histogram);
  EXPECT_EQ(labels, (Labels{{"pid", "1"}, {"code", "200"}, {"route", "/api"}}));
  EXPECT_EQ(histogram.sample_count, 4U);
  EXPECT_EQ(histogram.sample_sum, 2.5);
  ASSERT_EQ(histogram.bucket.size(), 3U);
  EXPECT_EQ(histogram.bucket[1].cumulative_count, 3U);
  EXPECT_EQ(histogram.bucket[1].upper_bound, 1.0);
  EXPECT_EQ(histogram.bucket[2].cumulative_count, 4U);
  EXPECT_TRUE(std::isinf(histogram.bucket[2].upper_bound));
}

TEST(Batch, TheMinimalProfileHasOneHistogramWithoutBucketsForEachTarget) {
  constexpr Metric kAll{"all_total", "All.", kCounter};
  constexpr Metric kPart{"part_ratio", "Part.", kGauge, "component", kMinimal};
  constexpr Metric kLong{"long_seconds", "Long.", kHistogram};
  constexpr Metric kDuration{"duration_seconds", "Duration.", kHistogram, "code", kMinimal};
  Batch batch(Profile::kMinimal);
  for (const std::string pid : {"1", "2"}) {
    const Labels target{{"pid", pid}};
    batch.add(kAll, target, 1);
    batch.add(kPart, target, {{"component", "gc"}}, 0.5);
    for (const char* code : {"200", "500"}) {
      batch.add_histogram(kLong, target, {}, std::array{0.1}, std::array<uint64_t, 2>{1, 1}, 1);
      batch.add_histogram(kDuration, target, {{"code", code}}, std::array{0.1}, std::array<uint64_t, 2>{1, 3}, 2.5);
    }
  }
  const auto families = batch.take();
  ASSERT_EQ(families.size(), 2U);
  ASSERT_EQ(families[0].name, "duration_seconds");
  ASSERT_EQ(families[0].metric.size(), 2U);
  const prometheus::ClientMetric& second = families[0].metric[1];
  EXPECT_EQ(second.label, (Labels{{"pid", "2"}}));
  EXPECT_EQ(second.histogram.sample_count, 6U);
  EXPECT_EQ(second.histogram.sample_sum, 5);
  ASSERT_EQ(second.histogram.bucket.size(), 1U);
  EXPECT_EQ(second.histogram.bucket[0].cumulative_count, 6U);
  EXPECT_EQ(families[1].metric[0].label, (Labels{{"pid", "1"}, {"component", "gc"}}));
}

}  // namespace
}  // namespace manometer::metrics
