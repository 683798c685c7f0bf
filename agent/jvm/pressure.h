#pragma once
// How short of memory a JVM is, as one number in [0, 1] and as what it is made of.

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "agent/base/types.h"
#include "agent/jvm/pressure_options.h"

namespace manometer::jvm {

/// What was known of a JVM and its container at one moment. What is not known is nullopt.
struct PressureSample {
  TimePoint at;
  std::optional<std::chrono::nanoseconds> age;  // of the JVM
  /// It collects while the application runs, so that how long it stops says little of what it costs.
  bool concurrent = false;

  // Counters: how far they come is what counts.
  std::optional<uint64_t> gc_stop_ns;      // all threads stopped, or being stopped, to collect
  std::optional<uint64_t> gc_cpu_ns;       // of the threads that collect
  std::optional<uint64_t> process_cpu_ns;  // of all threads
  std::optional<uint64_t> stall_ns;        // threads that waited until memory was free, each by itself
  std::optional<uint64_t> emergency_ns;    // stopped for full or degenerated collections for want of memory
  std::optional<uint64_t> jit_ns;

  std::optional<uint64_t> live_bytes;      // after the last old collection
  std::optional<uint64_t> live_max_bytes;  // what the generation that holds them may grow to
  std::optional<uint64_t> heap_committed_bytes;
  std::optional<uint64_t> heap_told;  // collections after which that was true; nullopt: it is now. See heap_told()
  std::optional<uint64_t> heap_max_bytes;

  // The container's, as of memory_at.
  TimePoint memory_at;
  std::optional<uint64_t> limit_bytes;
  std::optional<uint64_t> unreclaimable_bytes;
  std::optional<uint64_t> memory_wait_ns;  // at least one task waited for memory (PSI "some")
  std::optional<uint64_t> reclaim_ns;      // tasks reclaimed memory instead of what they were there for, each by itself
};

/// The lowest live set of one part of the leak window.
struct LivePart {
  TimePoint from;
  uint64_t lowest_bytes = 0;
};

/// What is not known is nullopt, never 0.
struct Pressure {
  std::optional<double> gc;
  std::optional<double> stall;
  std::optional<double> live;
  std::optional<double> psi;
  std::optional<double> oom;
  std::optional<double> index;       // the highest of those of the five there are
  std::optional<double> load;        // of gc and those of stall and psi there are: what more replicas relieve
  std::optional<double> overcommit;  // no share: above 1, heap and the rest do not fit
  std::optional<double> live_growth_bytes_per_second;
  std::optional<bool> leak_suspected;
};

/// Pure. samples: those of the window, oldest first, the first of them at its start or before. live: the last
/// kLeakParts parts of the leak window that have ended, oldest first.
///
/// Each component puts a quantity between its knees (PressureOptions):
///   gc     the larger of: time stopped to collect / time (Micrometer's jvm.gc.overhead);
///          CPU of GC threads / CPU of the process (JDK 26's, Netflix's spectator#1232), at least half a CPU of it. Of
///          a concurrent collector only both together, as its stops are next to nothing.
///   stall  the larger of: threads that wait for memory, on average, in [0, threads] (ZGC, Shenandoah);
///          time stopped for full or degenerated collections for want of memory / time (G1, Shenandoah)
///   live   live set / what it may grow to: its generation's largest size, or what the container's limit leaves for the
///          heap (limit - other memory) if that is less. JVM's and container's, as OpenTelemetry's issue 2900 asks for.
///   psi    time in which a task waited for memory / time; where the kernel does not tell, tasks in reclaim, on average
///   oom    the larger of: unreclaimable memory / limit; and overcommit, between knees of its own
/// overcommit is (largest heap + other memory) / limit, with other memory = unreclaimable - committed heap: at least
/// so much, because not all that is committed is in use.
///
/// A component has no value while an input of it does not reach over the window, or a counter of it went back; and
/// none has before the window is full, and while a JVM younger than five minutes spends more than a tenth of a CPU on
/// compiling.
///
/// The growth of the live set is the slope of the least-squares line through the lowest live sets of the parts of the
/// leak window. A leak is suspected if of those each is at least the one before it and most are more, and the last is
/// by a twentieth of what the live set may grow to more than the first; a hundredth counts as the same.
Pressure assess(std::span<const PressureSample> samples, std::span<const LivePart> live,
                const PressureOptions& options);

}  // namespace manometer::jvm
