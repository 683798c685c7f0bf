#include "agent/jvm/memory_pools.h"

#include <algorithm>
#include <array>

#include "agent/jvm/collector_names.h"

namespace manometer::jvm {
namespace {

/// A pool of a heap: java.lang.management's name of it.
struct HeapPool {
  std::string_view name;
  std::string_view collector;
  size_t generation;            // the young one's, 0, or the old one's; all 0: the collector shows none
  uint64_t spaces = 1;          // of two survivors, the bean has the one in use
  bool shares_heap = false;     // its generation may take all of the heap
  bool tells_committed = true;  // else it calls so the regions that it uses
  bool ends_whole = true;       // else its cycles end alike whether they collected all generations or one
};

constexpr auto kHeapPools = std::to_array<HeapPool>({
    {"Eden Space", "Serial", 0},
    {"Survivor Space", "Serial", 0, 2},
    {"Tenured Gen", "Serial", 1},
    {"PS Eden Space", "Parallel", 0},
    {"PS Survivor Space", "Parallel", 0, 2},
    {"PS Old Gen", "Parallel", 1},
    {"Par Eden Space", "CMS", 0},
    {"Par Survivor Space", "CMS", 0, 2},
    {"CMS Old Gen", "CMS", 1},
    {"G1 Eden Space", "G1", 0, 1, true},
    {"G1 Survivor Space", "G1", 0, 1, true},
    {"G1 Old Gen", "G1", 1, 1, true},
    {"ZHeap", "ZGC", 0},
    {"ZGC Young Generation", "Generational ZGC", 0, 1, true},
    {"ZGC Old Generation", "Generational ZGC", 1, 1, true},
    {"Shenandoah", "Shenandoah", 0},
    // As its performance data, which show no generations either.
    {"Shenandoah Young Gen", "Shenandoah", 0, 1, true, false, false},
    {"Shenandoah Old Gen", "Shenandoah", 0, 1, true, false, false},
});
constexpr std::string_view kMetaspace = "Metaspace";

std::string_view text_of(const gc_name& name) {
  const std::string_view text(reinterpret_cast<const char*>(name.words), sizeof(name.words));
  return text.substr(0, text.find('\0'));
}

/// nullptr: none of a heap.
const HeapPool* find_pool(const gc_name& name) {
  const auto found = std::ranges::find(kHeapPools, text_of(name), &HeapPool::name);
  return found == kHeapPools.end() ? nullptr : &*found;
}

/// The pools say -1 if they have no such value.
std::optional<uint64_t> size_of(uint64_t value, uint64_t spaces = 1) {
  constexpr uint64_t kMost = 1ULL << 60U;  // so that a few of them have a sum
  return value > kMost ? std::nullopt : std::optional(value * spaces);
}

void add_to(std::optional<uint64_t>& sum, std::optional<uint64_t> more) {
  if (more) sum = sum.value_or(0) + *more;
}

void add_to(GenerationSample& sum, const gc_pool& pool, const HeapPool& what) {
  add_to(sum.used_bytes, size_of(pool.used));
  if (what.tells_committed) add_to(sum.committed_bytes, size_of(pool.committed, what.spaces));
  const auto most = size_of(pool.max, what.spaces);
  if (what.shares_heap) {
    sum.max_bytes = std::max(sum.max_bytes, most);
  } else {
    add_to(sum.max_bytes, most);
  }
}

/// When its collections ended, as the pool of the old generation has it: that one's use is what they left.
std::vector<CollectorSample> collectors_of(const gc_pools& pools, const gc_pool& old) {
  std::vector<CollectorSample> collectors;
  for (size_t i = 0; i < GC_MANAGERS; ++i) {
    const auto name = find_bean(text_of(pools.managers[i]));
    if (!name || old.ends[i] == 0) continue;
    collectors.push_back({.name = *name, .runs = old.ends[i], .last_end_ns = old.ended_ns[i]});
  }
  return collectors;
}

/// The same of collectors whose cycles end like that, and what they left there.
std::optional<CycleSample> cycle_of(const gc_pools& pools, const gc_pool& old, const HeapPool& what) {
  if (!what.ends_whole) return std::nullopt;
  for (size_t i = 0; i < GC_MANAGERS; ++i) {
    const auto left = size_of(old.left[i]);
    if (left && old.ends[i] > 0 && is_whole_cycle(text_of(pools.managers[i]))) return CycleSample{old.ends[i], *left};
  }
  return std::nullopt;
}

/// False: it is none of the same collector as those before.
bool add_pool(PoolReading& reading, const gc_pool& pool, const HeapPool& what) {
  auto& generations = reading.sample.generations;
  if (!reading.collector.empty() && reading.collector != what.collector) return false;
  reading.collector = what.collector;
  generations.resize(std::max(generations.size(), what.generation + 1));
  add_to(generations[what.generation], pool, what);
  add_to(reading.sample.heap, pool, what);
  return true;
}

/// True once all generations of the collector are there: at its first end, they come one after the other.
bool is_whole(const PoolReading& reading) {
  return std::ranges::none_of(kHeapPools, [&](const HeapPool& one) {
    return one.collector == reading.collector && one.generation >= reading.sample.generations.size();
  });
}

}  // namespace

std::optional<PoolReading> read_pools(const gc_pools& pools, const gc_process& process) {
  PoolReading reading;
  PerfSample& sample = reading.sample;
  for (size_t i = 0; i < GC_POOLS; ++i) {
    const gc_pool& pool = pools.pools[i];
    const HeapPool* what = find_pool(pools.names[i]);
    if (what != nullptr && !add_pool(reading, pool, *what)) return std::nullopt;
    if (what != nullptr) {  // the old generation's comes last
      sample.collectors = collectors_of(pools, pool);
      sample.cycle = cycle_of(pools, pool, *what);
    }
    if (text_of(pools.names[i]) == kMetaspace) sample.metaspace = {size_of(pool.used), size_of(pool.committed), {}};
  }
  if (sample.generations.empty() || !is_whole(reading)) return std::nullopt;
  sample.safepoints = process.safepoints;
  sample.safepoint_ns = process.safepoint_ns;
  sample.collect_ns = process.collect_ns;
  return reading;
}

}  // namespace manometer::jvm
