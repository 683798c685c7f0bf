#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/base/types.h"
#include "agent/jvm/gc_totals.h"
#include "agent/jvm/live_set.h"
#include "agent/jvm/perf_reader.h"
#include "agent/jvm/pressure_history.h"
#include "bpf/gc.h"

namespace manometer::jvm {

/// One JVM and what we know of it.
struct Jvm {
  std::string container;  // key in container::Index
  std::string pid;        // the label
  Tier tier = Tier::kNone;
  std::optional<Refusal> refusal;  // why it cannot be read now
  std::optional<JvmIdentity> identity;
  std::optional<PerfSample> sample;  // the last one: to be exported only if there is no refusal
  TimePoint sampled_at;
  GcTotals gc;
  LiveSet live;
  std::optional<gc_process> stalls;  // of the last sample
  bool gc_cpu_failed = false;        // there too: it should be known and is not
  PressureHistory history;
  Pressure pressure;  // as of the last sample

  TimePoint found_at;
  TimePoint started_at;
  std::optional<TimePoint> look_again_at;  // while it starts
  /// Away while it is read on the blocking pool, or if the JVM has no data to read.
  std::optional<PerfReader> reader;
  std::optional<TimePoint> reading_since;
  uint64_t reader_number = 0;  // tells a read that was overtaken by a new reader
  bool lost = false;           // its data went away, and were not read since
};

}  // namespace manometer::jvm
