#include "agent/jvm/live_set.h"

#include <gtest/gtest.h>

namespace manometer::jvm {
namespace {

constexpr TimePoint kStart{};

PerfSample serial(uint64_t old_used, uint64_t full_runs, uint64_t full_end, uint64_t young_end) {
  PerfSample out;
  out.generations = {{1, 2, 3}, {old_used, old_used, old_used}};
  out.collectors = {{.name = *find_collector("Copy"), .runs = 10, .last_end_ns = young_end},
                    {.name = *find_collector("MSC"), .runs = full_runs, .last_end_ns = full_end}};
  return out;
}

TEST(LiveSet, IsUnknownBeforeAnOldCollection) {
  LiveSet live;
  live.add(serial(50, 0, 0, 5), "Serial", kStart);
  live.add(serial(60, 0, 0, 6), "Serial", kStart);
  EXPECT_FALSE(live.bytes());
}

TEST(LiveSet, IsOldUseAfterAFullCollection) {
  LiveSet live;
  live.add(serial(50, 1, 4, 5), "Serial", kStart);
  EXPECT_FALSE(live.bytes()) << "promotions came after that full collection";
  live.add(serial(55, 2, 6, 5), "Serial", kStart);
  EXPECT_EQ(live.bytes(), 55U) << "also if nothing was freed";
  live.add(serial(70, 2, 6, 7), "Serial", kStart);
  EXPECT_EQ(live.bytes(), 55U) << "garbage that was promoted since does not count";
  EXPECT_EQ(live.source(), "collection");
}

TEST(LiveSet, IsKnownAtOnceIfTheFullCollectionWasTheLast) {
  LiveSet live;
  live.add(serial(50, 1, 6, 5), "Serial", kStart);
  EXPECT_EQ(live.bytes(), 50U);
}

TEST(LiveSet, FollowsOldUseThatFell) {
  LiveSet live;
  live.add(serial(100, 0, 0, 5), "G1", kStart);
  live.add(serial(40, 0, 0, 6), "G1", kStart);
  EXPECT_EQ(live.bytes(), 40U) << "a mixed collection";
  live.add(serial(30, 0, 0, 7), "G1", kStart);
  live.add(serial(35, 0, 0, 8), "G1", kStart);
  EXPECT_EQ(live.bytes(), 30U);
}

PerfSample g1(uint64_t old_used, uint64_t young_runs, uint64_t cycle_pauses) {
  PerfSample out;
  out.generations = {{1, 2, 3}, {old_used, old_used, old_used}};
  out.collectors = {{.name = *find_collector("G1 young collection pauses"), .runs = young_runs},
                    {.name = *find_collector("G1 full collection pauses")},
                    {.name = *find_collector("G1 concurrent cycle pauses"), .runs = cycle_pauses}};
  return out;
}

TEST(LiveSet, IsWhatG1LeavesAfterCyclesThatFoundNothing) {
  LiveSet live;
  live.add(g1(100, 10, 2), "G1", kStart);
  live.add(g1(110, 15, 2), "G1", kStart);
  EXPECT_FALSE(live.bytes()) << "that cycle was before we came";
  live.add(g1(120, 16, 3), "G1", kStart);
  live.add(g1(125, 19, 6), "G1", kStart);
  EXPECT_FALSE(live.bytes()) << "old regions may still be collected";
  live.add(g1(130, 20, 8), "G1", kStart);
  EXPECT_EQ(live.bytes(), 130U);
  live.add(g1(140, 23, 8), "G1", kStart);
  EXPECT_EQ(live.bytes(), 130U) << "no cycle since";
  live.add(g1(150, 24, 9), "G1", kStart);
  live.add(g1(160, 28, 10), "G1", kStart);
  EXPECT_EQ(live.bytes(), 160U) << "it grows";
}

TEST(LiveSet, IsWhatG1FreedAfterACycleThatFoundSomething) {
  LiveSet live;
  live.add(g1(100, 10, 0), "G1", kStart);
  live.add(g1(110, 11, 2), "G1", kStart);
  live.add(g1(60, 13, 2), "G1", kStart);
  EXPECT_EQ(live.bytes(), 60U);
  live.add(g1(80, 20, 2), "G1", kStart);
  EXPECT_EQ(live.bytes(), 60U) << "what was promoted since is not known to live";
}

TEST(LiveSet, IsWhatG1FreedInTheFirstPauseOfACycle) {
  for (const uint64_t pauses : {1U, 2U}) {
    LiveSet live;
    live.add(g1(100, 10, 0), "G1", kStart);
    live.add(g1(60, 10, pauses), "G1", kStart);
    live.add(g1(60, 10, 2), "G1", kStart);
    live.add(g1(80, 12, 2), "G1", kStart);
    live.add(g1(100, 15, 2), "G1", kStart);
    EXPECT_EQ(live.bytes(), 60U) << "mixed collections may free less than they promote";
    live.add(g1(110, 16, 4), "G1", kStart);
    live.add(g1(130, 20, 4), "G1", kStart);
    EXPECT_EQ(live.bytes(), 130U) << "but nothing by another cycle";
  }
}

PerfSample whole_heap(uint64_t used) {
  PerfSample out;
  out.generations = {{used, used, used}};
  return out;
}

TEST(LiveSet, IsTheLowestUseWhereCollectionsAreNotTold) {
  LiveSet live;
  live.add(whole_heap(100), "ZGC", kStart);
  live.add(whole_heap(40), "ZGC", kStart + std::chrono::seconds(20));
  live.add(whole_heap(90), "ZGC", kStart + std::chrono::seconds(40));
  EXPECT_EQ(live.bytes(), 40U);
  EXPECT_EQ(live.source(), "lowest_used");
}

TEST(LiveSet, ForgetsALowThatIsLongPast) {
  LiveSet live;
  live.add(whole_heap(40), "Shenandoah", kStart);
  const TimePoint later = kStart + LiveSet::kWindow;
  live.add(whole_heap(80), "Shenandoah", later - std::chrono::seconds(1));
  EXPECT_EQ(live.bytes(), 40U);
  live.add(whole_heap(90), "Shenandoah", later + std::chrono::seconds(60));
  EXPECT_EQ(live.bytes(), 80U);
}

PerfSample zgc(uint64_t used, std::string_view counter, uint64_t pauses) {
  PerfSample out = whole_heap(used);
  out.collectors = {{.name = *find_collector(counter), .runs = pauses}};
  return out;
}

TEST(LiveSet, ForgetsALowBeforeTheLastCyclesOfZgc) {
  for (const char* counter : {"Z concurrent cycle pauses", "ZGC major collection pauses"}) {
    LiveSet live;
    live.add(zgc(40, counter, 2), "ZGC", kStart);
    live.add(zgc(80, counter, 5), "ZGC", kStart + std::chrono::seconds(20));
    live.add(zgc(90, counter, 14), "ZGC", kStart + std::chrono::seconds(40));
    EXPECT_EQ(live.bytes(), 40U) << "one of those five pauses apart may still be the cycle that found so much";
    live.add(zgc(95, counter, 15), "ZGC", kStart + std::chrono::seconds(60));
    EXPECT_EQ(live.bytes(), 80U);
  }
}

TEST(LiveSet, MinorCyclesOfZgcLeaveTheOldGenerationAlone) {
  LiveSet live;
  live.add(zgc(40, "ZGC minor collection pauses", 2), "Generational ZGC", kStart);
  live.add(zgc(80, "ZGC minor collection pauses", 50), "Generational ZGC", kStart + std::chrono::seconds(20));
  live.add(zgc(90, "ZGC minor collection pauses", 99), "Generational ZGC", kStart + std::chrono::seconds(40));
  EXPECT_EQ(live.bytes(), 40U);
}

PerfSample cycle(uint64_t used, uint64_t ended, uint64_t left) {
  PerfSample out = whole_heap(used);
  out.cycle = {.ended = ended, .used_bytes = left};
  return out;
}

TEST(LiveSet, IsTheLeastThatTheLastThreeCyclesLeft) {
  LiveSet live;
  live.add(whole_heap(90), "ZGC", kStart);
  EXPECT_EQ(live.bytes(), 90U) << "before a cycle ended";
  live.add(cycle(95, 1, 50), "ZGC", kStart);
  EXPECT_EQ(live.bytes(), 50U);
  EXPECT_EQ(live.source(), "collection");
  live.add(cycle(95, 2, 70), "ZGC", kStart);
  live.add(cycle(95, 2, 70), "ZGC", kStart);
  live.add(cycle(30, 3, 60), "ZGC", kStart);
  EXPECT_EQ(live.bytes(), 50U) << "each counts once, and the counters not at all";
  live.add(cycle(95, 4, 80), "ZGC", kStart);
  EXPECT_EQ(live.bytes(), 60U);
}

TEST(LiveSet, ForgetsCyclesThatAreLongPastButTheLast) {
  LiveSet live;
  live.add(cycle(90, 1, 40), "Shenandoah", kStart);
  const TimePoint later = kStart + LiveSet::kWindow + std::chrono::seconds(1);
  live.add(cycle(90, 1, 40), "Shenandoah", later);
  EXPECT_EQ(live.bytes(), 40U);
  live.add(cycle(90, 2, 80), "Shenandoah", later);
  EXPECT_EQ(live.bytes(), 80U);
}

TEST(LiveSet, EpsilonHasNone) {
  LiveSet live;
  live.add(whole_heap(40), "Epsilon", kStart);
  live.add(whole_heap(30), "Epsilon", kStart);
  EXPECT_FALSE(live.bytes());
}

}  // namespace
}  // namespace manometer::jvm
