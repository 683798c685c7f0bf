#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "agent/jvm/perf_sample.h"

namespace manometer::jvm {

/// Of pauses whose cause was overwritten before it was seen.
inline constexpr std::string_view kUnknownCause = "unknown";

/// GC pauses by collector and cause, added up from consecutive samples of the counters. Pure.
///
/// A sample may fall into a pause: its run is counted already, its time will be, and its stop shows in a later sample
/// without a new safepoint.
///
/// Pauses: runs of the collectors that count pauses; for Shenandoah, whose counter includes concurrent phases, the
/// safepoints of the samples in which it ran. Seconds: what the safepoint counters say the threads stood still in the
/// samples in which a collector ran, shared between collectors by their own time. Collectors' own time is no better:
/// it leaves out reaching the stop, and for ZGC nearly everything. A stop for another reason in the same sample is
/// counted with them.
///
/// Cause: the counters tell the last one only. Several pauses between two samples have it if it was the same before
/// them; else all but the last pause have the cause "unknown".
class GcTotals {
 public:
  struct Pauses {
    uint64_t count = 0;
    uint64_t ns = 0;
  };
  /// Collector (MXBean name) and cause.
  using Key = std::pair<std::string_view, std::string_view>;

  void add(const PerfSample& before, const PerfSample& after);

  const std::map<Key, Pauses>& by_cause() const { return by_cause_; }
  /// All pauses together.
  Pauses total() const;

 private:
  void add(const Key& key, const Pauses& more);
  /// Between two samples in which no collector did anything.
  void add_stop(const PerfSample& before, const PerfSample& after);

  std::map<Key, Pauses> by_cause_;
  std::optional<Key> latest_;  // whose pause the last safepoint seen was for; nullopt: it was for something else
};

}  // namespace manometer::jvm
