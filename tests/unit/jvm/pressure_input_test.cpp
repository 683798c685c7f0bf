// Inputs that are missing, or do not cover the window.

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "agent/jvm/pressure.h"
#include "tests/support/healthy_jvm.h"

namespace manometer::jvm {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using test::assess;
using test::expect_value;
using test::healthy;
using test::kStart;
using test::ns;
using test::Samples;
using test::with;
using Value = std::optional<double>;

struct Missing {
  const char* name;
  void (*remove)(PressureSample& sample);
  std::vector<Value Pressure::*> absent;
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const Missing& missing, std::ostream* out) {
  *out << missing.name;
}

class PressureInput : public testing::TestWithParam<Missing> {};

TEST_P(PressureInput, LeavesOutWhatIsMadeOfIt) {
  const Pressure pressure = assess(with([](PressureSample& sample, double /*time*/) { GetParam().remove(sample); }));
  const Pressure whole = assess(healthy());
  for (const auto value : {&Pressure::gc, &Pressure::stall, &Pressure::live, &Pressure::psi, &Pressure::oom,
                           &Pressure::overcommit, &Pressure::index, &Pressure::load}) {
    const bool absent = std::ranges::find(GetParam().absent, value) != GetParam().absent.end();
    EXPECT_EQ(pressure.*value, absent ? std::nullopt : whole.*value);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, PressureInput,
    testing::Values(
        Missing{"GcCpu", [](PressureSample& sample) { sample.gc_cpu_ns.reset(); }, {}},
        Missing{"ProcessCpu", [](PressureSample& sample) { sample.process_cpu_ns.reset(); }, {}},
        Missing{"GcStops", [](PressureSample& sample) { sample.gc_stop_ns.reset(); }, {}},
        Missing{"GcStopsAndCpu",
                [](PressureSample& sample) {
                  sample.gc_stop_ns.reset();
                  sample.gc_cpu_ns.reset();
                },
                {&Pressure::gc, &Pressure::load}},
        Missing{"GcStopsAndProcessCpu",
                [](PressureSample& sample) {
                  sample.gc_stop_ns.reset();
                  sample.process_cpu_ns.reset();
                },
                {&Pressure::gc, &Pressure::load}},
        Missing{"CpuOfAConcurrentCollector",
                [](PressureSample& sample) {
                  sample.concurrent = true;
                  sample.gc_cpu_ns.reset();
                },
                {&Pressure::gc, &Pressure::load}},
        Missing{"Stalls", [](PressureSample& sample) { sample.stall_ns.reset(); }, {}},
        Missing{"Emergencies", [](PressureSample& sample) { sample.emergency_ns.reset(); }, {}},
        Missing{"StallsAndEmergencies",
                [](PressureSample& sample) {
                  sample.stall_ns.reset();
                  sample.emergency_ns.reset();
                },
                {&Pressure::stall}},
        Missing{"Jit", [](PressureSample& sample) { sample.jit_ns.reset(); }, {}},
        Missing{"Age", [](PressureSample& sample) { sample.age.reset(); }, {}},
        Missing{"LiveSet", [](PressureSample& sample) { sample.live_bytes.reset(); }, {&Pressure::live}},
        Missing{"LiveMax", [](PressureSample& sample) { sample.live_max_bytes.reset(); }, {&Pressure::live}},
        Missing{
            "Committed", [](PressureSample& sample) { sample.heap_committed_bytes.reset(); }, {&Pressure::overcommit}},
        Missing{"HeapMax", [](PressureSample& sample) { sample.heap_max_bytes.reset(); }, {&Pressure::overcommit}},
        Missing{"Limit",
                [](PressureSample& sample) { sample.limit_bytes.reset(); },
                {&Pressure::oom, &Pressure::overcommit}},
        Missing{"ContainerMemory",
                [](PressureSample& sample) { sample.unreclaimable_bytes.reset(); },
                {&Pressure::oom, &Pressure::overcommit}},
        Missing{"Psi", [](PressureSample& sample) { sample.memory_wait_ns.reset(); }, {}},
        Missing{"PsiAndReclaim",
                [](PressureSample& sample) {
                  sample.memory_wait_ns.reset();
                  sample.reclaim_ns.reset();
                },
                {&Pressure::psi}},
        Missing{"AllOfTheLoad",
                [](PressureSample& sample) {
                  sample.gc_stop_ns.reset();
                  sample.gc_cpu_ns.reset();
                  sample.stall_ns.reset();
                  sample.emergency_ns.reset();
                  sample.memory_wait_ns.reset();
                  sample.reclaim_ns.reset();
                },
                {&Pressure::gc, &Pressure::stall, &Pressure::psi, &Pressure::load}}),
    [](const auto& test) { return test.param.name; });

TEST(Pressure, OfNothingIsUnknown) {
  Samples samples(61);
  samples.back().at = kStart + minutes(1);
  const Pressure pressure = assess(samples);
  EXPECT_FALSE(pressure.index || pressure.load || pressure.overcommit || pressure.leak_suspected);
  EXPECT_FALSE(assess(Samples{}).index);
}

void expect_unknown(const Pressure& pressure, const std::string& what) {
  for (const Value value :
       {pressure.gc, pressure.stall, pressure.live, pressure.psi, pressure.oom, pressure.index, pressure.load}) {
    EXPECT_FALSE(value) << what;
  }
}

TEST(Pressure, IsUnknownUntilTheWindowIsFull) {
  const Samples all = healthy();
  for (size_t count = 1; count < all.size(); ++count) {
    const Pressure pressure = assess(Samples(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)));
    expect_unknown(pressure, fmt::format("{} samples", count));
    EXPECT_TRUE(pressure.overcommit) << "which takes no time to know";
  }
  EXPECT_TRUE(assess(all).index);
}

TEST(Pressure, IsUnknownWhileAYoungJvmCompiles) {
  const auto compiling = [](double cpus, std::chrono::nanoseconds age) {
    return with([&](PressureSample& sample, double time) {
      sample.jit_ns = ns(cpus * time);
      sample.age = age;
    });
  };
  expect_unknown(assess(compiling(0.5, minutes(2))), "starts");
  expect_unknown(assess(compiling(0.101, minutes(5) - seconds(1))), "still starts");
  EXPECT_TRUE(assess(compiling(0.099, minutes(2))).index) << "warm already";
  EXPECT_TRUE(assess(compiling(0.5, minutes(5))).index) << "it is not the start any more";
}

TEST(Pressure, AJvmThatDoesNotTellWhatItCompilesIsWarm) {
  const Samples samples = with([](PressureSample& sample, double /*time*/) {
    sample.jit_ns.reset();
    sample.age = minutes(2);
  });
  EXPECT_TRUE(assess(samples).index);
}

TEST(Pressure, ACounterThatGoesBackIsUnknown) {
  for (const size_t at : {1U, 30U, 60U}) {
    Samples samples = with([](PressureSample& sample, double time) {
      sample.gc_stop_ns = sample.emergency_ns = ns(0.5 * time + 10);
      sample.stall_ns.reset();
      sample.gc_cpu_ns.reset();
    });
    samples[at].gc_stop_ns = 1;
    const Pressure pressure = assess(samples);
    EXPECT_FALSE(pressure.gc) << at;
    EXPECT_EQ(pressure.stall, 1.0) << "of another counter";
    EXPECT_EQ(pressure.index, 1.0);
    EXPECT_FALSE(pressure.load) << "without gc it would only be a part of it";
  }
}

TEST(Pressure, AGapDoesNotChangeHowFarCountersCame) {
  Samples samples = with([](PressureSample& sample, double time) { sample.gc_stop_ns = ns(0.25 * time); });
  samples.erase(samples.begin() + 10, samples.end() - 1);
  expect_value(assess(samples).gc, 0.5, "gc");
}

TEST(Pressure, OneInputThatWasNotReadNowIsKnownFromBefore) {
  Samples samples = with([](PressureSample& sample, double time) { sample.memory_wait_ns = ns(0.175 * time); });
  samples.front().memory_wait_ns.reset();
  samples[30].memory_wait_ns.reset();
  samples.back().memory_wait_ns.reset();
  expect_value(assess(samples).psi, 0.5, "psi");
}

TEST(Pressure, AnInputThatCameLateIsUnknownUntilItCoversTheWindow) {
  const auto since = [](size_t from) {
    Samples samples = with([](PressureSample& sample, double time) { sample.stall_ns = ns(time); });
    for (size_t i = 0; i < from; ++i) samples[i].stall_ns.reset();
    for (PressureSample& sample : samples) sample.emergency_ns.reset();
    return samples;
  };
  EXPECT_FALSE(assess(since(7)).stall);
  EXPECT_FALSE(assess(since(61)).stall);
  EXPECT_EQ(assess(since(6)).stall, 1.0);
}

TEST(Pressure, MemoryIsMeasuredByTheTimesOfItsReadings) {
  const Samples samples = with([](PressureSample& sample, double time) {
    const int read = static_cast<int>(time) / 7 * 7 - 7;
    sample.memory_at = kStart + seconds(read);
    sample.memory_wait_ns = ns(0.175 * (read + 100));
  });
  expect_value(assess(samples).psi, 0.5, "psi");
}

TEST(Pressure, AReadingThatIsRepeatedTellsNothing) {
  const Samples samples = with([](PressureSample& sample, double /*time*/) {
    sample.memory_at = kStart;
    sample.reclaim_ns.reset();
  });
  EXPECT_FALSE(assess(samples).psi);
}

}  // namespace
}  // namespace manometer::jvm
