#include "agent/jvm/pressure_sample.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace manometer::jvm {
namespace {

/// Causes of G1's full and Shenandoah's degenerated and full collections, which both avoid while there is memory. What
/// somebody asked for (System.gc(), a heap dump) and what metaspace needs is not among them.
constexpr auto kWantOfMemory = std::to_array<std::string_view>({
    "Allocation Failure",
    "Allocation Failure During Evacuation",
    "Upgrade To Full GC",
    "G1 Evacuation Pause",
    "G1 Humongous Allocation",
    "G1 Compaction Pause",
    "G1 Preventive Collection",
    "GCLocker Initiated GC",
});

bool is_emergency(const GcTotals::Key& key, std::string_view collector) {
  const auto& [bean, cause] = key;
  const bool wants_memory = std::ranges::find(kWantOfMemory, cause) != kWantOfMemory.end();
  if (collector == "Shenandoah") return wants_memory;
  // Under pressure a full collection is soon followed by others, which overwrite its cause.
  return bean == kG1Full && (wants_memory || cause == kUnknownCause);
}

/// nullopt for the others: full collections are how Serial, Parallel and CMS work, and ZGC has none.
std::optional<uint64_t> emergency_ns(const GcTotals& gc, std::string_view collector) {
  if (collector != "G1" && collector != "Shenandoah") return std::nullopt;
  uint64_t ns = 0;
  for (const auto& [key, pauses] : gc.by_cause()) {
    if (is_emergency(key, collector)) ns += pauses.ns;
  }
  return ns;
}

/// Kernel memory is left out where it is not told apart.
std::optional<uint64_t> unreclaimable_bytes(const node::MemoryUsage& usage) {
  if (!usage.anon_bytes) return std::nullopt;
  return *usage.anon_bytes + usage.shmem_bytes.value_or(0) + usage.kernel_bytes.value_or(0);
}

void add_stops(const PressureSources& sources, PressureSample& sample) {
  if (sources.perf.collect_ns) {
    sample.gc_stop_ns = sources.perf.collect_ns;  // and why is not known
    return;
  }
  if (sources.perf.safepoint_ns || !sources.perf.collectors.empty()) sample.gc_stop_ns = sources.gc.total().ns;
  sample.emergency_ns = emergency_ns(sources.gc, sources.collector);
}

void add_memory(const container::MemoryReading& reading, PressureSample& sample) {
  constexpr uint64_t kNanosecondsPerMicrosecond = 1000;
  sample.memory_at = reading.at;
  sample.limit_bytes = reading.usage.limit_bytes;
  sample.unreclaimable_bytes = unreclaimable_bytes(reading.usage);
  if (reading.counts) sample.reclaim_ns = reading.counts->reclaim_ns;
  if (reading.usage.pressure) sample.memory_wait_ns = reading.usage.pressure->some_us * kNanosecondsPerMicrosecond;
}

}  // namespace

std::optional<uint64_t> heap_told(const PerfSample& perf, std::string_view collector) {
  if (!is_zgc(collector) || perf.collectors.empty()) return std::nullopt;
  return std::accumulate(perf.collectors.begin(), perf.collectors.end(), uint64_t{0},
                         [](uint64_t sum, const CollectorSample& each) { return sum + each.runs; });
}

PressureSample to_pressure_sample(const PressureSources& sources) {
  PressureSample sample;
  sample.concurrent = collects_concurrently(sources.collector);
  add_stops(sources, sample);
  if (sources.stalls) sample.stall_ns = sources.stalls->stall_ns;
  if (sources.perf.gc_cpu) sample.gc_cpu_ns = sources.perf.gc_cpu->ns;
  sample.process_cpu_ns = sources.perf.process_cpu_ns;
  sample.jit_ns = sources.perf.jit_ns;
  sample.live_bytes = sources.live.bytes();
  if (!sources.perf.generations.empty()) sample.live_max_bytes = sources.perf.generations.back().max_bytes;
  sample.heap_committed_bytes = sources.perf.heap.committed_bytes;
  sample.heap_told = heap_told(sources.perf, sources.collector);
  sample.heap_max_bytes = sources.perf.heap.max_bytes;
  if (sources.memory) add_memory(*sources.memory, sample);
  return sample;
}

}  // namespace manometer::jvm
