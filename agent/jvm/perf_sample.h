#pragma once
// What is known of a JVM at one moment, wherever it comes from.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/jvm/collector_names.h"

namespace manometer::jvm {

struct GenerationSample {
  std::optional<uint64_t> used_bytes;
  std::optional<uint64_t> committed_bytes;
  std::optional<uint64_t> max_bytes;
};

/// One of the JVM's collectors since its start.
struct CollectorSample {
  CollectorName name;
  uint64_t runs = 0;           // counted when they begin
  uint64_t time_ns = 0;        // added when they end
  uint64_t last_start_ns = 0;  // on the JVM's own clock
  uint64_t last_end_ns = 0;
};

/// Collections of all there is that ended, of ZGC and Shenandoah, and what the last one left in the old generation.
struct CycleSample {
  uint64_t ended = 0;
  uint64_t used_bytes = 0;
};

/// CPU time of the threads that collect.
struct GcCpu {
  uint64_t ns = 0;
  std::string_view source;  // "counters": the JVM's own; "threads": the kernel's
};

/// The values of one moment. What a JVM does not have is nullopt.
struct PerfSample {
  /// Young and old, or the whole heap alone where the collector has no generations or shows none (ZGC before
  /// generations, Shenandoah, Epsilon).
  std::vector<GenerationSample> generations;
  GenerationSample heap;  // max: what -Xmx allows
  std::vector<CollectorSample> collectors;
  std::string_view last_cause;  // known_cause() of the collection that runs, or of the last one
  std::optional<uint64_t> safepoints;
  std::optional<uint64_t> safepoint_ns;       // threads stopped, the time to bring them to a stop included
  std::optional<uint64_t> safepoint_sync_ns;  // that time alone
  std::optional<uint64_t> collect_ns;  // what of safepoint_ns was for collections; not among the performance data
  std::optional<CycleSample> cycle;    // nor is this
  std::optional<uint64_t> threads;
  std::optional<uint64_t> daemon_threads;
  std::optional<uint64_t> started_threads;
  std::optional<uint64_t> loaded_classes;    // now
  std::optional<uint64_t> unloaded_classes;  // since the start
  GenerationSample metaspace;                // as of the last collection; 0 before the first
  std::optional<uint64_t> jit_ns;
  std::optional<GcCpu> gc_cpu;
  std::optional<uint64_t> process_cpu_ns;  // not among the performance data: the kernel's
};

}  // namespace manometer::jvm
