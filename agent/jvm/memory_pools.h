#pragma once
// From what the kernel saw a JVM's collections leave to what its performance data would say, if it kept any.

#include <optional>
#include <string_view>

#include "agent/jvm/perf_sample.h"
#include "bpf/gc.h"
#include "bpf/gc_pools.h"

namespace manometer::jvm {

/// What collections left in the pools of the heap, and when.
struct PoolReading {
  std::string_view collector;  // JvmIdentity's
  PerfSample sample;           // used, committed and max as of the last collection; what pools do not tell is left out
};

/// Pure. nullopt: no collection has ended yet, or none of the pools is one of HotSpot's heaps. pools: hostile, the
/// container writes them. process: of the same JVM.
std::optional<PoolReading> read_pools(const gc_pools& pools, const gc_process& process);

}  // namespace manometer::jvm
