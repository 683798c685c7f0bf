#pragma once
// What the tests of pressure start from.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/jvm/pressure.h"

namespace manometer::test {

using Samples = std::vector<jvm::PressureSample>;

inline constexpr TimePoint kStart{};
inline constexpr uint64_t kGiB = 1ULL << 30U;

inline uint64_t ns(double duration) {
  return static_cast<uint64_t>(duration * 1e9);
}

/// A minute of a JVM that has all inputs and wants for nothing, sampled every second.
inline Samples healthy() {
  Samples samples;
  for (int second = 0; second <= 60; ++second) {
    jvm::PressureSample sample;
    sample.at = kStart + std::chrono::seconds(second);
    sample.memory_at = sample.at;
    sample.age = std::chrono::minutes(60);
    sample.gc_stop_ns = sample.gc_cpu_ns = sample.stall_ns = sample.emergency_ns = sample.jit_ns = 0;
    sample.memory_wait_ns = sample.reclaim_ns = 0;
    sample.process_cpu_ns = ns(second);
    sample.live_bytes = kGiB / 10;
    sample.live_max_bytes = sample.heap_max_bytes = kGiB;
    sample.heap_committed_bytes = kGiB / 2;
    sample.unreclaimable_bytes = kGiB;
    sample.limit_bytes = 2 * kGiB;
    samples.push_back(sample);
  }
  return samples;
}

template <typename Change>
Samples with(Change change, Samples samples = healthy()) {
  for (jvm::PressureSample& sample : samples) change(sample, std::chrono::duration<double>(sample.at - kStart).count());
  return samples;
}

inline jvm::Pressure assess(const Samples& samples) {
  return jvm::assess(samples, {}, jvm::PressureOptions{});
}

/// Both unknown, or nearly the same.
inline void expect_value(std::optional<double> actual, std::optional<double> expected, const std::string& what) {
  ASSERT_EQ(actual.has_value(), expected.has_value()) << what;
  if (actual) {
    EXPECT_NEAR(*actual, *expected, 1e-6) << what;
  }
}

}  // namespace manometer::test
