// What holds whatever the inputs.

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "agent/jvm/pressure.h"
#include "tests/support/healthy_jvm.h"

namespace manometer::jvm {
namespace {

using test::assess;
using test::kGiB;
using test::kStart;
using test::ns;
using test::Samples;
using Value = std::optional<double>;

class RandomPressure : public testing::Test {
 protected:
  static constexpr int kRounds = 2000;

  uint64_t up_to(uint64_t most) { return std::uniform_int_distribution<uint64_t>(0, most)(random_); }
  bool once_in(uint64_t times) { return up_to(times - 1) == 0; }

  void count_up(std::optional<uint64_t>& counter, uint64_t before) {
    counter = before + up_to(ns(0.5));
    if (once_in(50)) counter.reset();
  }

  /// Anything that may come of a JVM, hostile ones included.
  Samples samples() {
    const bool hostile = once_in(4);
    Samples samples(1 + up_to(80));
    PressureSample before;
    for (PressureSample& sample : samples) {
      sample = before;
      sample.at = before.at + std::chrono::milliseconds(up_to(2000));
      sample.memory_at = sample.at;
      sample.age = sample.at - kStart + std::chrono::seconds(200);
      for (const auto counter : kCounters) {
        count_up(sample.*counter, hostile ? up_to(UINT64_MAX / 2) : (before.*counter).value_or(0));
      }
      for (const auto level : kLevels) sample.*level = once_in(20) ? std::nullopt : std::optional(up_to(kGiB));
      if (hostile) sample.*kLevels[up_to(kLevels.size() - 1)] = once_in(2) ? 0 : UINT64_MAX;
      before = sample;
    }
    return samples;
  }

  /// samples as they would be if the counter had come further, by the same in each step.
  static Samples faster(Samples samples, std::optional<uint64_t> PressureSample::*counter, uint64_t more) {
    for (size_t i = 0; i < samples.size(); ++i) {
      if (samples[i].*counter) *(samples[i].*counter) += i * more;
    }
    return samples;
  }

  static constexpr std::array kCounters{&PressureSample::gc_stop_ns,     &PressureSample::gc_cpu_ns,
                                        &PressureSample::process_cpu_ns, &PressureSample::stall_ns,
                                        &PressureSample::jit_ns,         &PressureSample::memory_wait_ns,
                                        &PressureSample::emergency_ns,   &PressureSample::reclaim_ns};
  static constexpr std::array kLevels{&PressureSample::live_bytes,           &PressureSample::live_max_bytes,
                                      &PressureSample::heap_committed_bytes, &PressureSample::heap_max_bytes,
                                      &PressureSample::limit_bytes,          &PressureSample::unreclaimable_bytes};
  std::mt19937_64 random_{42};  // the same on every run
};

TEST_F(RandomPressure, IsFromNoneToAllAndTheHighestOfItsComponents) {
  int known = 0;
  for (int round = 0; round < kRounds; ++round) {
    const Pressure pressure = assess(samples());
    for (const Value value : {pressure.gc, pressure.stall, pressure.live, pressure.psi, pressure.oom}) {
      if (!value) continue;
      EXPECT_GE(*value, 0);
      EXPECT_LE(*value, 1);
      EXPECT_GE(pressure.index, value);
    }
    const Value load = std::max({pressure.gc, pressure.stall, pressure.psi});
    EXPECT_EQ(pressure.load, pressure.gc ? load : std::nullopt);
    EXPECT_EQ(pressure.index, std::max({load, pressure.live, pressure.oom}));
    EXPECT_FALSE(pressure.overcommit && !std::isfinite(*pressure.overcommit));
    known += pressure.index ? 1 : 0;
  }
  EXPECT_GT(known, kRounds / 10);
}

TEST_F(RandomPressure, DoesNotFallIfGcStallsOrWaitsRise) {
  for (int round = 0; round < kRounds; ++round) {
    const Samples before = samples();
    for (const auto counter : {&PressureSample::gc_stop_ns, &PressureSample::gc_cpu_ns, &PressureSample::stall_ns,
                               &PressureSample::emergency_ns, &PressureSample::memory_wait_ns}) {
      const Pressure less = assess(before);
      const Pressure more = assess(faster(before, counter, up_to(ns(1))));
      EXPECT_GE(more.index, less.index);
      EXPECT_GE(more.load, less.load);
    }
  }
}

TEST_F(RandomPressure, DoesNotFallIfTheLiveSetGrowsOrTheLimitShrinks) {
  for (int round = 0; round < kRounds; ++round) {
    const Samples before = samples();
    Samples after = before;
    PressureSample& now = after.back();
    if (now.live_bytes) now.live_bytes = std::max(*now.live_bytes, up_to(kGiB));
    if (now.limit_bytes) now.limit_bytes = std::min(*now.limit_bytes, up_to(kGiB));
    EXPECT_GE(assess(after).index, assess(before).index);
    EXPECT_GE(assess(after).live, assess(before).live);
    EXPECT_GE(assess(after).oom, assess(before).oom);
  }
}

TEST_F(RandomPressure, LoadHasNothingToDoWithLiveSetAndLimit) {
  for (int round = 0; round < kRounds; ++round) {
    const Samples before = samples();
    Samples after = before;
    for (PressureSample& sample : after)
      for (const auto level : kLevels) sample.*level = up_to(kGiB);
    EXPECT_EQ(assess(after).load, assess(before).load);
  }
}

}  // namespace
}  // namespace manometer::jvm
