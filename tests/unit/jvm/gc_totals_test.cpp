#include "agent/jvm/gc_totals.h"

#include <gtest/gtest.h>

namespace manometer::jvm {
namespace {

constexpr std::string_view kYoung = "G1 Young Generation";
constexpr std::string_view kConcurrent = "G1 Concurrent GC";
constexpr std::string_view kEvacuation = "G1 Evacuation Pause";

PerfSample sample(uint64_t young_runs, uint64_t young_ns, uint64_t stopped_ns, std::string_view cause) {
  PerfSample out;
  out.collectors = {{.name = *find_collector("G1 young collection pauses"),
                     .runs = young_runs,
                     .time_ns = young_ns,
                     .last_end_ns = young_runs * 10},
                    {.name = *find_collector("G1 concurrent cycle pauses")}};
  out.safepoints = young_runs;
  out.safepoint_ns = stopped_ns;
  out.last_cause = cause;
  return out;
}

GcTotals::Pauses of(const GcTotals& totals, std::string_view collector, std::string_view cause) {
  const auto found = totals.by_cause().find({collector, cause});
  return found == totals.by_cause().end() ? GcTotals::Pauses{} : found->second;
}

TEST(GcTotals, OnePauseHasTheLastCauseAndTheStoppedTime) {
  GcTotals totals;
  totals.add(sample(5, 100, 1000, "System.gc()"), sample(6, 150, 1070, kEvacuation));
  EXPECT_EQ(of(totals, kYoung, kEvacuation).count, 1U);
  EXPECT_EQ(of(totals, kYoung, kEvacuation).ns, 70U) << "reaching the stop included";
}

TEST(GcTotals, WithoutARunAStopIsNotGc) {
  GcTotals totals;
  totals.add(sample(5, 100, 1000, kEvacuation), sample(5, 100, 2000, kEvacuation));
  EXPECT_TRUE(totals.by_cause().empty());
}

TEST(GcTotals, SeveralPausesOfOneCauseAreAllOfIt) {
  GcTotals totals;
  totals.add(sample(5, 100, 1000, kEvacuation), sample(9, 200, 1400, kEvacuation));
  EXPECT_EQ(of(totals, kYoung, kEvacuation).count, 4U);
  EXPECT_EQ(of(totals, kYoung, kEvacuation).ns, 400U);
}

TEST(GcTotals, PausesWhoseCauseWasOverwrittenAreUnknown) {
  GcTotals totals;
  totals.add(sample(5, 100, 1000, "System.gc()"), sample(9, 200, 1400, kEvacuation));
  EXPECT_EQ(of(totals, kYoung, kEvacuation).count, 1U);
  EXPECT_EQ(of(totals, kYoung, "unknown").count, 3U);
  EXPECT_EQ(totals.total().count, 4U);
  EXPECT_EQ(totals.total().ns, 400U) << "nothing is lost in the split";
}

TEST(GcTotals, TwoCollectorsShareByTheirOwnTime) {
  GcTotals totals;
  PerfSample before = sample(5, 100, 1000, kEvacuation);
  PerfSample after = sample(6, 400, 1800, kEvacuation);
  after.collectors[1].runs = 2;
  after.collectors[1].time_ns = 100;
  after.collectors[1].last_end_ns = 1;  // before the young one
  totals.add(before, after);
  EXPECT_EQ(of(totals, kYoung, kEvacuation).ns, 600U);
  EXPECT_EQ(of(totals, kConcurrent, "unknown").count, 2U) << "the cause is that of the collector that ran last";
  EXPECT_EQ(of(totals, kConcurrent, "unknown").ns, 200U);
}

TEST(GcTotals, CollectorsWithoutTimeOfTheirOwnShareEvenly) {
  GcTotals totals;
  PerfSample after = sample(6, 100, 1800, kEvacuation);
  after.collectors[1].runs = 1;
  totals.add(sample(5, 100, 1000, kEvacuation), after);
  EXPECT_EQ(of(totals, kYoung, kEvacuation).ns, 400U);
  EXPECT_EQ(totals.total().ns, 800U);
}

TEST(GcTotals, ShenandoahPausesAreItsSafepoints) {
  PerfSample before;
  before.collectors = {{.name = *find_collector("Shenandoah full"), .runs = 16, .time_ns = 1000, .last_end_ns = 1}};
  before.safepoints = 4;
  before.safepoint_ns = 50;
  before.last_cause = "Concurrent GC";
  PerfSample after = before;
  after.collectors[0].runs = 32;
  after.collectors[0].time_ns = 90000;
  after.safepoints = 8;
  after.safepoint_ns = 130;
  GcTotals totals;
  totals.add(before, after);
  EXPECT_EQ(of(totals, "Shenandoah Pauses", "Concurrent GC").count, 4U) << "not its 16 phases";
  EXPECT_EQ(of(totals, "Shenandoah Pauses", "Concurrent GC").ns, 80U) << "not its concurrent time";
}

TEST(GcTotals, CountersThatGoBackwardsCountNothing) {
  GcTotals totals;
  totals.add(sample(9, 200, 1400, kEvacuation), sample(5, 100, 1000, kEvacuation));
  EXPECT_TRUE(totals.by_cause().empty());
  totals.add(sample(5, 100, 2000, kEvacuation), sample(6, 150, 1000, kEvacuation));
  EXPECT_EQ(totals.total().ns, 0U);
}

TEST(GcTotals, WithoutSafepointCountersTheCollectorsTimeIsAllThereIs) {
  PerfSample before = sample(5, 100, 0, kEvacuation);
  PerfSample after = sample(6, 150, 0, kEvacuation);
  before.safepoint_ns.reset();
  after.safepoint_ns.reset();
  GcTotals totals;
  totals.add(before, after);
  EXPECT_EQ(totals.total().ns, 50U);
}

TEST(GcTotals, AJvmSeenFromItsStartCountsFromZero) {
  GcTotals totals;
  totals.add(PerfSample{}, sample(3, 30, 40, kEvacuation));
  EXPECT_EQ(totals.total().count, 3U);
  EXPECT_EQ(totals.total().ns, 40U);
}

}  // namespace
}  // namespace manometer::jvm
