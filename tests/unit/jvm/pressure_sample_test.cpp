#include "agent/jvm/pressure_sample.h"

#include <gtest/gtest.h>

namespace manometer::jvm {
namespace {

constexpr TimePoint kStart{};

PerfSample perf(std::string_view counter, uint64_t runs, uint64_t stopped_ns, std::string_view cause) {
  PerfSample out;
  out.generations = {{1, 2, 3}, {50, 60, 700}};
  out.heap = {51, 62, 800};
  out.collectors = {{.name = *find_collector(counter), .runs = runs, .time_ns = runs, .last_end_ns = runs}};
  out.safepoints = runs;
  out.safepoint_ns = stopped_ns;
  out.last_cause = cause;
  out.jit_ns = 9;
  return out;
}

/// What becomes of a JVM with that collector in which these pauses took 100 ns.
PressureSample after_pauses(std::string_view collector, std::string_view counter, std::string_view cause,
                            std::string_view cause_before) {
  const PerfSample before = perf(counter, 1, 1000, cause_before);
  const PerfSample after = perf(counter, 2, 1100, cause);
  GcTotals gc;
  gc.add(before, after);
  return to_pressure_sample({after, collector, gc, LiveSet(), std::nullopt});
}

PressureSample after_pauses(std::string_view collector, std::string_view counter, std::string_view cause) {
  return after_pauses(collector, counter, cause, cause);
}

TEST(PressureSample, HasWhatTheJvmCounts) {
  const PerfSample sample = perf("Copy", 1, 10, "Allocation Failure");
  LiveSet live;
  live.add(perf("MSC", 1, 10, "Allocation Failure"), "Serial", kStart);
  const PressureSample out = to_pressure_sample({sample, "Serial", GcTotals(), live, std::nullopt});
  EXPECT_EQ(out.gc_stop_ns, 0U) << "none since we know it";
  EXPECT_EQ(out.jit_ns, 9U);
  EXPECT_EQ(out.live_bytes, 50U);
  EXPECT_EQ(out.live_max_bytes, 700U);
  EXPECT_EQ(out.heap_committed_bytes, 62U);
  EXPECT_EQ(out.heap_max_bytes, 800U);
  EXPECT_FALSE(out.concurrent || out.limit_bytes || out.unreclaimable_bytes || out.memory_wait_ns);
  EXPECT_FALSE(out.gc_cpu_ns || out.process_cpu_ns || out.stall_ns || out.reclaim_ns);
}

TEST(PressureSample, HasTheWaitsForMemory) {
  gc_process stalls{};
  stalls.stall_ns = 30;
  const PressureSample out = to_pressure_sample({PerfSample(), "ZGC", GcTotals(), LiveSet(), std::nullopt, stalls});
  EXPECT_EQ(out.stall_ns, 30U);
}

TEST(PressureSample, HasTheStopsThatTheKernelSawWithoutTheirCause) {
  PerfSample sample = perf("G1 full collection pauses", 1, 100, "");
  sample.collect_ns = 70;
  const PressureSample out = to_pressure_sample({sample, "G1", GcTotals(), LiveSet(), std::nullopt});
  EXPECT_EQ(out.gc_stop_ns, 70U);
  EXPECT_FALSE(out.emergency_ns) << "whether anything was for want of memory is not known";
}

TEST(PressureSample, HasTheCpuOfGcAndProcess) {
  PerfSample sample = perf("Z concurrent cycle pauses", 1, 10, "Proactive");
  sample.gc_cpu = GcCpu{7, "threads"};
  sample.process_cpu_ns = 8;
  const PressureSample out = to_pressure_sample({sample, "ZGC", GcTotals(), LiveSet(), std::nullopt});
  EXPECT_EQ(out.gc_cpu_ns, 7U);
  EXPECT_EQ(out.process_cpu_ns, 8U);
}

TEST(PressureSample, KnowsWhenZgcToldItsHeap) {
  const PerfSample sample = perf("Z concurrent cycle pauses", 9, 10, "Proactive");
  EXPECT_EQ(to_pressure_sample({sample, "ZGC", GcTotals(), LiveSet(), std::nullopt}).heap_told, 9U);
  EXPECT_FALSE(to_pressure_sample({PerfSample(), "ZGC", GcTotals(), LiveSet(), std::nullopt}).heap_told);
  const PerfSample other = perf("Copy", 9, 10, "Allocation Failure");
  EXPECT_FALSE(to_pressure_sample({other, "Serial", GcTotals(), LiveSet(), std::nullopt}).heap_told);
}

TEST(PressureSample, HasNoStopsIfTheJvmDoesNotTell) {
  const PressureSample out = to_pressure_sample({PerfSample(), "ZGC", GcTotals(), LiveSet(), std::nullopt});
  EXPECT_FALSE(out.gc_stop_ns || out.live_max_bytes || out.jit_ns);
}

TEST(PressureSample, KnowsWhoCollectsConcurrently) {
  const auto is_concurrent = [](std::string_view collector) {
    return to_pressure_sample({PerfSample(), collector, GcTotals(), LiveSet(), std::nullopt}).concurrent;
  };
  for (const char* collector : {"ZGC", "Generational ZGC", "Shenandoah"}) EXPECT_TRUE(is_concurrent(collector));
  for (const char* collector : {"G1", "Parallel", "Serial", "CMS", "Epsilon", ""})
    EXPECT_FALSE(is_concurrent(collector));
}

TEST(PressureSample, FullCollectionsOfG1ForWantOfMemoryAreEmergencies) {
  const char* const full = "G1 full collection pauses";
  for (const char* cause : {"G1 Evacuation Pause", "G1 Humongous Allocation", "G1 Compaction Pause"}) {
    EXPECT_EQ(after_pauses("G1", full, cause).emergency_ns, 100U) << cause;
    EXPECT_EQ(after_pauses("G1", full, cause).gc_stop_ns, 100U);
  }
  EXPECT_EQ(after_pauses("G1", "G1 stop-the-world full collections", "G1 Evacuation Pause").emergency_ns, 100U);
  for (const char* cause : {"System.gc()", "Metadata GC Threshold", "Heap Dump Initiated GC", "other"})
    EXPECT_EQ(after_pauses("G1", full, cause).emergency_ns, 0U) << cause;
  EXPECT_EQ(after_pauses("G1", "G1 young collection pauses", "G1 Evacuation Pause").emergency_ns, 0U);
}

TEST(PressureSample, AFullCollectionOfG1WhoseCauseWasOverwrittenIsOne) {
  PerfSample before = perf("G1 full collection pauses", 1, 1000, "G1 Evacuation Pause");
  PerfSample after = perf("G1 full collection pauses", 2, 1100, "G1 Evacuation Pause");
  const auto young = *find_collector("G1 young collection pauses");
  before.collectors.push_back({.name = young, .runs = 1});
  after.collectors.push_back({.name = young, .runs = 2, .last_end_ns = 3});
  GcTotals gc;
  gc.add(before, after);
  const PressureSample out = to_pressure_sample({after, "G1", gc, LiveSet(), std::nullopt});
  EXPECT_EQ(out.emergency_ns, 100U) << "a young one came after it";
}

TEST(PressureSample, ShenandoahHasThemByTheirCause) {
  for (const char* cause : {"Allocation Failure", "Allocation Failure During Evacuation", "Upgrade To Full GC"})
    EXPECT_EQ(after_pauses("Shenandoah", "Shenandoah full", cause).emergency_ns, 100U) << cause;
  EXPECT_EQ(after_pauses("Shenandoah", "Shenandoah full", "Concurrent GC").emergency_ns, 0U);
  EXPECT_EQ(after_pauses("Shenandoah", "Shenandoah full", "Concurrent GC", "System.gc()").emergency_ns, 0U);
}

TEST(PressureSample, OthersHaveNoSuchThing) {
  EXPECT_FALSE(after_pauses("Serial", "MSC", "Allocation Failure").emergency_ns);
  EXPECT_FALSE(after_pauses("Parallel", "PSParallelCompact", "Ergonomics").emergency_ns);
  EXPECT_FALSE(after_pauses("CMS", "CMS", "CMS Generation Full").emergency_ns);
  EXPECT_FALSE(after_pauses("ZGC", "Z concurrent cycle pauses", "Allocation Stall").emergency_ns);
}

PressureSample with_memory(const node::MemoryUsage& usage) {
  return to_pressure_sample({PerfSample(), "G1", GcTotals(), LiveSet(), container::MemoryReading{kStart, usage}});
}

TEST(PressureSample, HasTheContainersMemory) {
  node::MemoryUsage usage;
  usage.limit_bytes = 1000;
  usage.anon_bytes = 100;
  usage.shmem_bytes = 20;
  usage.kernel_bytes = 3;
  usage.pressure = node::Psi{7, 5};
  const PressureSample out = with_memory(usage);
  EXPECT_EQ(out.memory_at, kStart);
  EXPECT_EQ(out.limit_bytes, 1000U);
  EXPECT_EQ(out.unreclaimable_bytes, 123U);
  EXPECT_EQ(out.memory_wait_ns, 7000U);
}

TEST(PressureSample, HasTheContainersReclaim) {
  const container::MemoryReading reading{kStart, {}, memory_counts{7, 5, 3}};
  EXPECT_EQ(to_pressure_sample({PerfSample(), "G1", GcTotals(), LiveSet(), reading}).reclaim_ns, 7U);
}

TEST(PressureSample, LeavesOutWhatTheContainerDoesNotTell) {
  node::MemoryUsage usage;
  usage.shmem_bytes = 20;
  EXPECT_FALSE(with_memory(usage).unreclaimable_bytes) << "the largest part is missing";
  EXPECT_FALSE(with_memory(usage).limit_bytes || with_memory(usage).memory_wait_ns || with_memory(usage).reclaim_ns);
  usage.anon_bytes = 100;
  EXPECT_EQ(with_memory(usage).unreclaimable_bytes, 120U);
}

}  // namespace
}  // namespace manometer::jvm
