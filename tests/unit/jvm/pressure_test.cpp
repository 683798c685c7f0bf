#include "agent/jvm/pressure.h"

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/healthy_jvm.h"

namespace manometer::jvm {
namespace {

using test::assess;
using test::expect_value;
using test::healthy;
using test::kGiB;
using test::ns;
using test::Samples;
using test::with;
using Value = std::optional<double>;

TEST(Pressure, IsNoneOfAHealthyJvm) {
  const Pressure pressure = assess(healthy());
  for (const Value value :
       {pressure.gc, pressure.stall, pressure.live, pressure.psi, pressure.oom, pressure.index, pressure.load}) {
    EXPECT_EQ(value, 0.0);
  }
  EXPECT_EQ(pressure.overcommit, 0.75);
}

// A quantity that goes through a component's knees.

struct Ramp {
  const char* name;
  Value Pressure::*component;
  Knees knees;
  /// Makes the quantity what it says, all through the window.
  void (*set)(PressureSample& sample, double time, double quantity);
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const Ramp& ramp, std::ostream* out) {
  *out << ramp.name;
}

class PressureRamp : public testing::TestWithParam<Ramp> {
 protected:
  static Pressure assess_at(double quantity) {
    return assess(with([&](PressureSample& sample, double time) { GetParam().set(sample, time, quantity); }));
  }
  static void expect(double quantity, double component) {
    expect_value(assess_at(quantity).*GetParam().component, component, fmt::format("{}", quantity));
  }
};

TEST_P(PressureRamp, IsNoneUpToItsLowKneeAndAllFromItsHighKnee) {
  const auto [low, high] = GetParam().knees;
  expect(low / 2, 0);
  expect(low, 0);
  expect(low + (high - low) / 4, 0.25);
  expect((low + high) / 2, 0.5);
  expect(high, 1);
  expect(high * 1.5, 1);
}

TEST_P(PressureRamp, RaisesIndexAndLoadIfReplicasRelieveIt) {
  const auto& component = GetParam().component;
  const bool is_load = component == &Pressure::gc || component == &Pressure::stall || component == &Pressure::psi;
  const Pressure pressure = assess_at((GetParam().knees.low + GetParam().knees.high) / 2);
  expect_value(pressure.index, 0.5, "index");
  expect_value(pressure.load, is_load ? 0.5 : 0, "load");
}

INSTANTIATE_TEST_SUITE_P(
    All, PressureRamp,
    testing::Values(
        Ramp{"Stops", &Pressure::gc, kGcKnees,
             [](PressureSample& sample, double time, double share) { sample.gc_stop_ns = ns(share * time); }},
        Ramp{"GcCpuOfABusyProcess", &Pressure::gc, kGcKnees,
             [](PressureSample& sample, double time, double share) {
               sample.process_cpu_ns = ns(8 * time);
               sample.gc_cpu_ns = ns(share * 8 * time);
             }},
        Ramp{"GcCpuOfAnIdleProcess", &Pressure::gc, kGcKnees,
             [](PressureSample& sample, double time, double share) {
               sample.process_cpu_ns = ns(0.1 * time);
               sample.gc_cpu_ns = ns(share * 0.5 * time);
             }},
        Ramp{"GcCpuOfAConcurrentCollector", &Pressure::gc, kGcKnees,
             [](PressureSample& sample, double time, double share) {
               sample.concurrent = true;
               sample.gc_cpu_ns = ns(share * time);
             }},
        Ramp{"Stalls", &Pressure::stall, kStallKnees,
             [](PressureSample& sample, double time, double threads) { sample.stall_ns = ns(threads * time); }},
        Ramp{"Emergencies", &Pressure::stall, kStallKnees,
             [](PressureSample& sample, double time, double share) { sample.emergency_ns = ns(share * time); }},
        Ramp{"LiveInHeap", &Pressure::live, kLiveKnees,
             [](PressureSample& sample, double /*time*/, double share) {
               sample.live_max_bytes = 1000 * kGiB / 1024;
               sample.live_bytes = static_cast<uint64_t>(share * 1000 * kGiB / 1024);
             }},
        Ramp{"LiveInContainer", &Pressure::live, kLiveKnees,
             [](PressureSample& sample, double /*time*/, double share) {
               sample.live_max_bytes = 100 * kGiB;
               sample.limit_bytes = 125 * kGiB;
               sample.unreclaimable_bytes = 90 * kGiB;  // 75 of which are no heap
               sample.heap_committed_bytes = 15 * kGiB;
               sample.live_bytes = static_cast<uint64_t>(share * 50 * kGiB);
               sample.heap_max_bytes = 20 * kGiB;  // which fit
             }},
        Ramp{"MemoryWait", &Pressure::psi, kPsiKnees,
             [](PressureSample& sample, double time, double share) { sample.memory_wait_ns = ns(share * time); }},
        Ramp{"ReclaimWithoutPsi", &Pressure::psi, kPsiKnees,
             [](PressureSample& sample, double time, double tasks) {
               sample.memory_wait_ns.reset();
               sample.reclaim_ns = ns(tasks * time);
             }},
        Ramp{"Limit", &Pressure::oom, kOomKnees,
             [](PressureSample& sample, double /*time*/, double share) {
               sample.limit_bytes = 100 * kGiB;
               sample.unreclaimable_bytes = static_cast<uint64_t>(share * 100 * kGiB);
               sample.heap_committed_bytes = sample.unreclaimable_bytes;
             }},
        Ramp{"Overcommit", &Pressure::oom, kOvercommitKnees,
             [](PressureSample& sample, double /*time*/, double ratio) {
               sample.limit_bytes = 100 * kGiB;
               sample.unreclaimable_bytes = 20 * kGiB;
               sample.heap_committed_bytes = 10 * kGiB;
               sample.live_bytes = 0;
               sample.heap_max_bytes = static_cast<uint64_t>((ratio * 100 - 10) * kGiB);
             }}),
    [](const auto& test) { return test.param.name; });

TEST(Pressure, TakesItsKneesFromTheOptions) {
  const Samples samples = with([](PressureSample& sample, double time) {
    sample.gc_stop_ns = sample.stall_ns = sample.memory_wait_ns = ns(0.5 * time);
    sample.live_bytes = kGiB / 2;
    sample.unreclaimable_bytes = sample.heap_committed_bytes = kGiB;
  });
  PressureOptions options;
  options.gc = {0, 1};
  options.stall = {0, 2};
  options.live = {0.4, 0.6};
  options.psi = {0.25, 1.25};
  options.oom = {0.2, 1.2};
  options.overcommit = {0.5, 9};
  const Pressure pressure = jvm::assess(samples, {}, options);
  expect_value(pressure.gc, 0.5, "gc");
  expect_value(pressure.stall, 0.25, "stall");
  expect_value(pressure.live, 0.5, "live");
  expect_value(pressure.psi, 0.25, "psi");
  expect_value(pressure.oom, 0.3, "oom");
}

TEST(Pressure, OfAnIdleJvmIsNotMadeOfTheLittleCpuItsGcTakes) {
  const Samples samples = with([](PressureSample& sample, double time) {
    sample.process_cpu_ns = ns(0.05 * time);
    sample.gc_cpu_ns = ns(0.04 * time);
  });
  EXPECT_EQ(assess(samples).gc, 0.0);
}

TEST(Pressure, IsTheHighestComponent) {
  const Samples samples = with([](PressureSample& sample, double time) {
    sample.gc_stop_ns = ns(0.25 * time);            // 0.5
    sample.memory_wait_ns = ns(0.1 * time);         // 0.2
    sample.live_bytes = kGiB * 3 / 4;               // 0.5 again
    sample.unreclaimable_bytes = kGiB * 191 / 100;  // 0.81
    sample.heap_committed_bytes = kGiB;
  });
  const Pressure pressure = assess(samples);
  EXPECT_EQ(pressure.index, pressure.oom);
  EXPECT_EQ(pressure.load, pressure.gc);
  EXPECT_GT(pressure.oom, pressure.gc);
}

TEST(Pressure, AFullHeapOrAWrongLimitIsNoLoad) {
  const Samples samples = with([](PressureSample& sample, double /*time*/) {
    sample.live_bytes = kGiB;
    sample.heap_max_bytes = 3 * kGiB;
  });
  const Pressure pressure = assess(samples);
  EXPECT_EQ(pressure.live, 1.0);
  EXPECT_EQ(pressure.oom, 1.0);
  EXPECT_EQ(pressure.index, 1.0);
  EXPECT_EQ(pressure.load, 0.0);
  EXPECT_EQ(pressure.overcommit, 1.75);
}

TEST(Pressure, OtherMemoryThanTheHeapCanLeaveNothingForIt) {
  const Samples samples = with([](PressureSample& sample, double /*time*/) {
    sample.unreclaimable_bytes = 4 * kGiB;
    sample.heap_committed_bytes = kGiB;
  });
  EXPECT_EQ(assess(samples).live, 1.0);
}

TEST(Pressure, AHeapThatIsNotInUseIsNoOtherMemory) {
  const Samples samples = with([](PressureSample& sample, double /*time*/) {
    sample.unreclaimable_bytes = kGiB / 4;
    sample.heap_committed_bytes = kGiB;
  });
  EXPECT_EQ(assess(samples).overcommit, 0.5) << "all of the largest heap, and nothing else";
}

}  // namespace
}  // namespace manometer::jvm
