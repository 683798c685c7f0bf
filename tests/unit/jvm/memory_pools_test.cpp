#include "agent/jvm/memory_pools.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include <gtest/gtest.h>

namespace manometer::jvm {
namespace {

constexpr uint64_t kNone = ~0ULL;

gc_name name_of(std::string_view text) {
  gc_name name{};
  std::memcpy(name.words, text.data(), std::min(text.size(), sizeof(name.words)));
  return name;
}

class MemoryPools : public testing::Test {
 protected:
  void add(std::string_view name, uint64_t used, uint64_t committed, uint64_t max) {
    auto* const place = std::ranges::find(pools_.names, 0U, [](const gc_name& each) { return each.words[0]; });
    gc_pool& pool = pools_.pools[place - pools_.names];
    *place = name_of(name);
    pool.used = used;
    std::ranges::fill(pool.left, used);
    pool.committed = committed;
    pool.max = max;
    std::ranges::copy(ends_, pool.ends);
    std::ranges::copy(ended_ns_, pool.ended_ns);
  }

  std::optional<PoolReading> read() const { return read_pools(pools_, process_); }

  gc_pools pools_{};
  gc_process process_{};
  std::array<uint64_t, GC_MANAGERS> ends_{};
  std::array<uint64_t, GC_MANAGERS> ended_ns_{};
};

TEST_F(MemoryPools, AreNoneBeforeACollection) {
  EXPECT_FALSE(read());
}

TEST_F(MemoryPools, OfSerialHaveTwoSurvivorSpaces) {
  add("CodeHeap 'non-profiled nmethods'", 1, 2, 3);
  add("Metaspace", 7, 8, kNone);
  add("Eden Space", 0, 100, 200);
  add("Survivor Space", 5, 10, 20);
  add("Tenured Gen", 50, 300, 400);
  const auto reading = read();
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->collector, "Serial");
  const PerfSample& sample = reading->sample;
  EXPECT_EQ(sample.heap.used_bytes, 55U);
  EXPECT_EQ(sample.heap.committed_bytes, 420U);
  EXPECT_EQ(sample.heap.max_bytes, 640U);
  ASSERT_EQ(sample.generations.size(), 2U);
  EXPECT_EQ(sample.generations[0].used_bytes, 5U);
  EXPECT_EQ(sample.generations[0].max_bytes, 240U);
  EXPECT_EQ(sample.generations[1].max_bytes, 400U);
  EXPECT_EQ(sample.metaspace.used_bytes, 7U);
  EXPECT_FALSE(sample.metaspace.max_bytes);
}

TEST_F(MemoryPools, OfG1HaveTheHeapInCommon) {
  add("G1 Eden Space", 0, 100, kNone);
  add("G1 Survivor Space", 5, 10, kNone);
  add("G1 Old Gen", 50, 300, 1000);
  const auto reading = read();
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->sample.heap.committed_bytes, 410U);
  EXPECT_EQ(reading->sample.heap.max_bytes, 1000U);
  EXPECT_FALSE(reading->sample.generations[0].max_bytes) << "the pool does not say";
}

TEST_F(MemoryPools, OfShenandoahAreOneHeap) {
  add("Shenandoah Young Gen", 10, 100, 1000);
  add("Shenandoah Old Gen", 20, 200, 1000);
  const auto reading = read();
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->sample.generations.size(), 1U);
  EXPECT_EQ(reading->sample.heap.used_bytes, 30U);
  EXPECT_FALSE(reading->sample.heap.committed_bytes) << "it says how much of it is used";
  EXPECT_EQ(reading->sample.heap.max_bytes, 1000U);
}

TEST_F(MemoryPools, TellTheCollectionsOfTheOldGeneration) {
  pools_.managers[0] = name_of("G1 Young Generation");
  pools_.managers[1] = name_of("G1 Old Generation");
  pools_.managers[2] = name_of("no such collector");
  ends_ = {3, 1, 1, 0};
  ended_ns_ = {300, 200, 400, 0};
  add("G1 Eden Space", 0, 100, kNone);
  add("G1 Survivor Space", 5, 10, kNone);
  add("G1 Old Gen", 50, 300, 1000);
  process_.safepoints = 9;
  process_.safepoint_ns = 90;
  process_.collect_ns = 80;
  const auto reading = read();
  ASSERT_TRUE(reading);
  const auto& collectors = reading->sample.collectors;
  ASSERT_EQ(collectors.size(), 2U);
  EXPECT_EQ(collectors[0].runs, 3U);
  EXPECT_EQ(collectors[0].last_end_ns, 300U);
  EXPECT_FALSE(collectors[0].name.full);
  EXPECT_TRUE(collectors[1].name.full);
  EXPECT_EQ(reading->sample.safepoints, 9U);
  EXPECT_EQ(reading->sample.safepoint_ns, 90U);
  EXPECT_EQ(reading->sample.collect_ns, 80U);
}

TEST_F(MemoryPools, TellWhatWholeCyclesLeft) {
  pools_.managers[0] = name_of("ZGC Minor Cycles");
  pools_.managers[1] = name_of("ZGC Major Cycles");
  ends_ = {9, 0};
  add("ZGC Young Generation", 5, 10, 1000);
  add("ZGC Old Generation", 50, 300, 1000);
  ASSERT_TRUE(read());
  EXPECT_FALSE(read()->sample.cycle);
  pools_.pools[1].ends[1] = 2;
  pools_.pools[1].left[1] = 40;
  const auto reading = read();
  ASSERT_TRUE(reading->sample.cycle);
  EXPECT_EQ(reading->sample.cycle->ended, 2U);
  EXPECT_EQ(reading->sample.cycle->used_bytes, 40U) << "a minor one came after it";
  EXPECT_EQ(reading->sample.heap.used_bytes, 55U);
}

TEST_F(MemoryPools, TellNoCycleThatMayHaveLeftAGenerationAlone) {
  pools_.managers[0] = name_of("Shenandoah Cycles");
  ends_ = {9};
  add("Shenandoah", 30, 100, 1000);
  ASSERT_TRUE(read());
  EXPECT_TRUE(read()->sample.cycle);
  std::ranges::fill(pools_.names, gc_name{});
  add("Shenandoah Young Gen", 10, 100, 1000);
  add("Shenandoah Old Gen", 20, 200, 1000);
  ASSERT_TRUE(read());
  EXPECT_FALSE(read()->sample.cycle);
}

TEST_F(MemoryPools, AreNoneWhileTheFirstOfThemComeIn) {
  add("G1 Eden Space", 0, 100, kNone);
  EXPECT_FALSE(read());
}

TEST_F(MemoryPools, AreNoneIfTheyAreOfTwoHeaps) {
  add("G1 Eden Space", 0, 100, kNone);
  add("Tenured Gen", 0, 100, kNone);
  EXPECT_FALSE(read());
}

TEST_F(MemoryPools, OfAnotherNameAreNone) {
  add("Tenured Generation of a name of more bytes than there are", 1, 2, 3);
  EXPECT_FALSE(read());
}

TEST_F(MemoryPools, LeaveOutSizesThatNothingCanHave) {
  add("Eden Space", kNone - 1, kNone / 2, 1);
  add("Survivor Space", kNone, 1ULL << 63U, 1);
  add("Tenured Gen", 5, 1, 1);
  const auto reading = read();
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->sample.heap.used_bytes, 5U);
  EXPECT_EQ(reading->sample.heap.committed_bytes, 1U);
}

}  // namespace
}  // namespace manometer::jvm
