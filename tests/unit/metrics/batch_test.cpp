#include "agent/metrics/batch.h"

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

}  // namespace
}  // namespace manometer::metrics
