#include "agent/cli/classic_histogram.h"

#include <limits>

#include <gtest/gtest.h>

namespace manometer::cli {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

ClassicHistogram histogram(std::initializer_list<std::pair<double, double>> buckets) {
  ClassicHistogram out;
  for (const auto& [le, count] : buckets) out.add(le, count);
  return out;
}

TEST(ClassicHistogram, InterpolatesWithinTheBucket) {
  const auto h = histogram({{0.1, 10}, {0.2, 30}, {1, 40}, {kInf, 40}});
  EXPECT_DOUBLE_EQ(h.quantile(0.5)->seconds, 0.15);
  EXPECT_DOUBLE_EQ(h.quantile(0.99)->seconds, 1 - 0.8 * 0.04);
  EXPECT_EQ(h.quantile(1), (Quantile{1, false}));
}

TEST(ClassicHistogram, OfTheFirstBucketOnlyItsBoundIsKnown) {
  const auto h = histogram({{0.1, 10}, {0.2, 30}, {kInf, 30}});
  for (const double q : {0.0, 0.125, 10.0 / 30}) EXPECT_EQ(h.quantile(q), (Quantile{0.1, true})) << q;
  EXPECT_FALSE(h.quantile(0.34)->below);
}

TEST(ClassicHistogram, EmptyBucketsAreSkipped) {
  const auto h = histogram({{0.1, 0}, {0.2, 0}, {1, 10}, {2, 10}, {kInf, 10}});
  EXPECT_EQ(h.quantile(0), (Quantile{0.2, false}));
  EXPECT_DOUBLE_EQ(h.quantile(0.5)->seconds, 0.6);
  EXPECT_EQ(h.quantile(1), (Quantile{1, false}));
}

TEST(ClassicHistogram, WhatIsAboveAllBoundsIsTheHighest) {
  EXPECT_EQ(histogram({{0.1, 1}, {10, 2}, {kInf, 100}}).quantile(0.5), (Quantile{10, false}));
  EXPECT_EQ(histogram({{kInf, 100}}).quantile(0.5), (Quantile{0, false}));
}

TEST(ClassicHistogram, HasNoQuantileOfNothing) {
  EXPECT_FALSE(ClassicHistogram().quantile(0.5));
  EXPECT_FALSE(histogram({{0.1, 0}, {kInf, 0}}).quantile(0.5));
}

TEST(ClassicHistogram, SumsSeries) {
  EXPECT_EQ(histogram({{1, 1}, {2, 1}, {kInf, 1}, {1, 0}, {2, 1}, {kInf, 1}}).quantile(0.75), (Quantile{1.5, false}));
}

TEST(ClassicHistogram, TellsWhatCameSince) {
  const auto before = histogram({{0.1, 10}, {1, 10}, {kInf, 10}});
  const auto since = histogram({{0.1, 10}, {1, 14}, {kInf, 14}}).since(before);
  EXPECT_EQ(since.count(), 4);
  EXPECT_EQ(since.quantile(0.5), (Quantile{0.55, false}));
}

TEST(ClassicHistogram, ThatWasRestartedIsNewFromTheStart) {
  const auto before = histogram({{0.1, 10}, {kInf, 10}});
  EXPECT_EQ(histogram({{0.1, 3}, {kInf, 3}}).since(before).count(), 3);
}

TEST(ClassicHistogram, BearsOtherBucketsBefore) {
  const auto before = histogram({{0.5, 10}, {kInf, 10}});
  const auto since = histogram({{0.1, 12}, {0.5, 12}, {kInf, 12}}).since(before);
  EXPECT_EQ(since.quantile(0.5), (Quantile{0.1, true}));
}

}  // namespace
}  // namespace manometer::cli
