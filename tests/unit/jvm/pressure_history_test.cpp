#include "agent/jvm/pressure_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace manometer::jvm {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr TimePoint kStart{};

PressureSample at(TimePoint::duration time, std::optional<uint64_t> live = std::nullopt) {
  PressureSample sample;
  sample.at = kStart + time;
  sample.gc_stop_ns = static_cast<uint64_t>(std::chrono::nanoseconds(time).count()) / 4;
  sample.live_bytes = live;
  return sample;
}

/// A JVM that stops a quarter of the time, sampled so often, for so long.
PressureHistory history_of(TimePoint::duration interval, TimePoint::duration length) {
  PressureHistory history;
  for (TimePoint::duration time{}; time <= length; time += interval) history.add(at(time));
  return history;
}

Pressure assess(const PressureHistory& history) {
  return jvm::assess(history.samples(), history.live(), PressureOptions{});
}

TEST(PressureHistory, StartsAtTheLastSampleBeforeTheWindow) {
  const PressureHistory history = history_of(seconds(7), seconds(70));
  EXPECT_EQ(history.samples().front().at, kStart + seconds(7));
  EXPECT_EQ(history.samples().back().at, kStart + seconds(70));
  EXPECT_THAT(history.samples(), SizeIs(10));
}

TEST(PressureHistory, IsSmallHoweverOftenItIsAddedTo) {
  const PressureHistory history = history_of(milliseconds(100), minutes(5));
  EXPECT_LE(history.samples().size(), 33U);
  EXPECT_EQ(history.samples().back().at, kStart + minutes(5)) << "the last is always there";
  EXPECT_LE(history.samples().front().at, kStart + minutes(4));
  EXPECT_GE(history.samples().front().at, kStart + minutes(4) - seconds(3));
}

TEST(PressureHistory, SaysTheSameAtEveryInterval) {
  for (const milliseconds interval : {milliseconds(100), milliseconds(250), milliseconds(1000), milliseconds(15000)}) {
    EXPECT_FALSE(assess(history_of(interval, minutes(1) - milliseconds(1))).index) << interval.count();
    for (const auto length : {minutes(1), minutes(2), minutes(3)}) {
      const auto gc = assess(history_of(interval, length)).gc;
      ASSERT_TRUE(gc) << interval.count();
      EXPECT_NEAR(*gc, 0.5, 1e-6) << interval.count();
    }
  }
}

TEST(PressureHistory, AShortGapLeavesItWhole) {
  PressureHistory history = history_of(seconds(1), minutes(1));
  history.add(at(seconds(89)));
  EXPECT_TRUE(assess(history).index);
}

TEST(PressureHistory, BeginsAnewAfterALongGap) {
  PressureHistory history = history_of(seconds(1), minutes(1));
  TimePoint::duration time = seconds(151);
  history.add(at(time));
  EXPECT_FALSE(assess(history).index) << "nobody knows when in these 91 seconds it stopped";
  for (const TimePoint::duration full = time + minutes(1); time < full; history.add(at(time))) {
    EXPECT_FALSE(assess(history).index);
    time += seconds(1);
  }
  EXPECT_TRUE(assess(history).index);
}

std::vector<uint64_t> lowest(const PressureHistory& history) {
  std::vector<uint64_t> out;
  for (const LivePart& part : history.live()) out.push_back(part.lowest_bytes);
  return out;
}

/// One part of the default leak window.
constexpr seconds kPart{100};

TEST(PressureHistory, HasTheLowestLiveSetOfEachPartThatEnded) {
  PressureHistory history;
  EXPECT_THAT(lowest(history), IsEmpty());
  history.add(at(seconds(0), 50));
  history.add(at(seconds(50), 40));
  history.add(at(seconds(99), 60));
  EXPECT_THAT(lowest(history), IsEmpty());
  history.add(at(seconds(100), 70));
  EXPECT_THAT(lowest(history), ElementsAre(40));
  history.add(at(seconds(150)));  // not known
  history.add(at(seconds(199), 80));
  history.add(at(seconds(205), 90));
  EXPECT_THAT(lowest(history), ElementsAre(40, 70));
  EXPECT_EQ(history.live().back().from, kStart + seconds(100));
}

TEST(PressureHistory, HasNoMorePartsThanTheLeakWindow) {
  PressureHistory history;
  for (int part = 0; part < 10; ++part) history.add(at(kPart * part, 10 + static_cast<uint64_t>(part)));
  EXPECT_THAT(lowest(history), ElementsAre(13, 14, 15, 16, 17, 18));
}

TEST(PressureHistory, SuspectsALeakOnceTheLeakWindowIsFull) {
  PressureHistory history;
  TimePoint::duration time{};
  const auto grow = [&] {
    PressureSample sample = at(time, 1000 + static_cast<uint64_t>(time / seconds(1)));
    sample.live_max_bytes = 4000;
    history.add(sample);
    time += seconds(1);
  };
  while (time < minutes(10)) {
    grow();
    EXPECT_FALSE(assess(history).leak_suspected) << "too early to tell";
  }
  grow();
  EXPECT_EQ(assess(history).leak_suspected, true);
  ASSERT_TRUE(assess(history).live_growth_bytes_per_second);
  EXPECT_NEAR(*assess(history).live_growth_bytes_per_second, 1, 1e-6);
}

/// What of the container's memory is taken for heap, of a heap that is told to be so large after so many collections.
std::optional<uint64_t> heap_of(PressureHistory& history, std::optional<uint64_t> told, uint64_t committed,
                                uint64_t all) {
  PressureSample sample = at(seconds(1));
  sample.heap_told = told;
  sample.heap_committed_bytes = committed;
  sample.heap_max_bytes = 100;
  sample.unreclaimable_bytes = all;
  history.add(sample);
  return history.samples().back().heap_committed_bytes;
}

TEST(PressureHistory, TakesForHeapWhatIsAddedUntilTheHeapIsToldAgain) {
  PressureHistory history;
  EXPECT_EQ(heap_of(history, 3, 20, 70), 20U) << "50 beside it";
  EXPECT_EQ(heap_of(history, 3, 20, 110), 60U);
  EXPECT_EQ(heap_of(history, 3, 20, 170), 100U) << "its most";
  EXPECT_EQ(heap_of(history, 3, 20, 60), 20U) << "what was told";
  EXPECT_EQ(heap_of(history, 4, 80, 170), 80U) << "90 beside it";
  EXPECT_EQ(heap_of(history, 4, 80, 175), 85U);
  EXPECT_EQ(heap_of(history, 5, 80, 60), 80U) << "nothing beside it";
  EXPECT_EQ(heap_of(history, 5, 80, 90), 90U);
}

TEST(PressureHistory, TakesNothingForAHeapThatIsAlwaysTold) {
  PressureHistory history;
  EXPECT_EQ(heap_of(history, std::nullopt, 20, 70), 20U);
  EXPECT_EQ(heap_of(history, std::nullopt, 20, 110), 20U);
}

TEST(PressureHistory, PartsBeginAnewAfterALongGap) {
  PressureHistory history;
  history.add(at(seconds(0), 50));
  history.add(at(seconds(199), 60));
  EXPECT_THAT(lowest(history), ElementsAre(50));
  history.add(at(seconds(399), 70));
  EXPECT_THAT(lowest(history), IsEmpty());
  history.add(at(seconds(500), 80));
  EXPECT_THAT(lowest(history), ElementsAre(70));
}

}  // namespace
}  // namespace manometer::jvm
