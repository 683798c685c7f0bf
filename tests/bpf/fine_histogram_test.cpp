#include "tests/bpf/fine_histogram.h"

#include <gtest/gtest.h>

namespace manometer::test {
namespace {

const FineHistogram kHistogram{.bounds_ns = {10, 20, 50}, .counts = {1, 0, 8, 1}, .sum_ns = 400};

TEST(FineHistogram, FindsTheSlotOfAQuantile) {
  EXPECT_EQ(kHistogram.count(), 10U);
  EXPECT_EQ(kHistogram.quantile(0).low_ns, 0);
  EXPECT_EQ(kHistogram.quantile(0.1).high_ns, 10);
  EXPECT_EQ(kHistogram.quantile(0.11).low_ns, 20);
  EXPECT_EQ(kHistogram.quantile(0.9).high_ns, 50);
  EXPECT_EQ(kHistogram.quantile(0.9).middle_ns(), 35);
  EXPECT_EQ(kHistogram.quantile(0.9).half_width_ns(), 15);
}

TEST(FineHistogram, HasNoQuantileAboveItsBounds) {
  EXPECT_THROW(static_cast<void>(kHistogram.quantile(0.91)), std::runtime_error);
}

TEST(FineHistogram, HasNoQuantileOfNothing) {
  EXPECT_THROW(static_cast<void>(FineHistogram{{10}, {0, 0}, 0}.quantile(0.5)), std::runtime_error);
}

}  // namespace
}  // namespace manometer::test
