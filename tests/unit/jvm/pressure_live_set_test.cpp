// Growth and leaks.

#include <vector>

#include <gtest/gtest.h>

#include "agent/jvm/pressure.h"
#include "tests/support/healthy_jvm.h"

namespace manometer::jvm {
namespace {

using test::healthy;
using test::kGiB;
using test::kStart;
using test::Samples;
using Value = std::optional<double>;

/// Live sets in hundredths of a GiB, of which one can be alive.
Pressure assess_live(const std::vector<double>& hundredths) {
  std::vector<LivePart> parts;
  parts.reserve(hundredths.size());
  for (const double value : hundredths) {
    parts.push_back({kStart + std::chrono::seconds(100) * static_cast<int>(parts.size()),
                     static_cast<uint64_t>(value * static_cast<double>(kGiB) / 100)});
  }
  return jvm::assess(healthy(), parts, PressureOptions{});
}

struct Live {
  const char* name;
  std::vector<double> parts;
  Value growth;  // hundredths in a part
  std::optional<bool> leak;
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const Live& live, std::ostream* out) {
  *out << live.name;
}

class PressureLiveSet : public testing::TestWithParam<Live> {};

TEST_P(PressureLiveSet, HasGrowthAndSuspicion) {
  const Pressure pressure = assess_live(GetParam().parts);
  EXPECT_EQ(pressure.leak_suspected, GetParam().leak);
  ASSERT_EQ(pressure.live_growth_bytes_per_second.has_value(), GetParam().growth.has_value());
  if (!GetParam().growth) return;
  const double hundredth_in_a_part = static_cast<double>(kGiB) / 100 / 100;
  EXPECT_NEAR(*pressure.live_growth_bytes_per_second / hundredth_in_a_part, *GetParam().growth, 1e-3);
}

INSTANTIATE_TEST_SUITE_P(All, PressureLiveSet,
                         testing::Values(Live{"Unknown", {}, {}, {}},                              //
                                         Live{"TooShort", {10, 20, 30, 40, 50}, {}, {}},           //
                                         Live{"Steady", {30, 30, 30, 30, 30, 30}, 0, false},       //
                                         Live{"Growing", {10, 20, 30, 40, 50, 60}, 10, true},      //
                                         Live{"Shrinking", {60, 50, 40, 30, 20, 10}, -10, false},  //
                                         Live{"Slow", {10, 10.9, 11.8, 12.7, 13.6, 14.5}, 0.9, false},
                                         Live{"JustEnough", {10, 11.5, 11.5, 13, 13, 15.1}, 0.9, true},
                                         Live{"TooLittle", {10, 11.5, 11.5, 13, 13, 14.9}, 0.87143, false},
                                         Live{"OneJump", {10, 10, 10, 50, 50, 50}, 10.28571, false},
                                         Live{"TwoJumps", {10, 10, 30, 30, 50, 50}, 9.14286, false},
                                         Live{"ThreeJumps", {10, 10, 30, 40, 40, 50}, 8.57143, true},
                                         Live{"Varying", {10, 20, 19.1, 30, 29.2, 40}, 5.38571, true},
                                         Live{"Falling", {10, 20, 18.9, 30, 40, 50}, 7.74571, false}),
                         [](const auto& test) { return test.param.name; });

TEST(PressureLeak, IsKnownBeforeTheWindowIsFull) {
  Samples samples = healthy();
  samples.resize(2);
  const std::vector<LivePart> parts(kLeakParts, LivePart{kStart, kGiB});
  const Pressure pressure = jvm::assess(samples, parts, PressureOptions{});
  EXPECT_EQ(pressure.leak_suspected, false);
  EXPECT_EQ(pressure.live_growth_bytes_per_second, 0.0) << "also if all parts were one moment";
}

TEST(PressureLeak, IsUnknownWithoutWhatItCanGrowTo) {
  Samples samples = healthy();
  samples.back().live_max_bytes.reset();
  const Pressure pressure = jvm::assess(samples, std::vector<LivePart>(kLeakParts), PressureOptions{});
  EXPECT_TRUE(pressure.live_growth_bytes_per_second);
  EXPECT_FALSE(pressure.leak_suspected);
}

}  // namespace
}  // namespace manometer::jvm
