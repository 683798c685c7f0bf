#pragma once

#include <optional>

#include "agent/container/index.h"
#include "agent/jvm/gc_totals.h"
#include "agent/jvm/live_set.h"
#include "agent/jvm/perf_sample.h"
#include "agent/jvm/pressure.h"
#include "bpf/gc.h"

namespace manometer::jvm {

/// What is known of one JVM, all from the same moment.
struct PressureSources {
  const PerfSample& perf;
  std::string_view collector;  // JvmIdentity's
  const GcTotals& gc;
  const LiveSet& live;
  const std::optional<container::MemoryReading>& memory;
  std::optional<gc_process> stalls = {};
};

/// Collections after which the committed bytes of the heap were true: ZGC tells them at its pauses, and takes memory at
/// any time. nullopt: they are true now.
std::optional<uint64_t> heap_told(const PerfSample& perf, std::string_view collector);

/// What of it says how short of memory the JVM is. at and age are left to the caller.
PressureSample to_pressure_sample(const PressureSources& sources);

}  // namespace manometer::jvm
