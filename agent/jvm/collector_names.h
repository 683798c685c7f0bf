#pragma once
// What HotSpot calls its collectors in the performance data, from JDK 8 to 25, and what everybody else calls them.

#include <cstdint>
#include <optional>
#include <string_view>

namespace manometer::jvm {

struct CollectorName {
  std::string_view counter;  // sun.gc.collector.<n>.name
  std::string_view bean;     // the GarbageCollectorMXBean of it; our label `collector` on GC series
  std::string_view family;   // our label `collector` of the whole JVM
  /// Each run leaves nothing but the live set in the old generation. Those of CMS do where its phases are counted apart
  /// (kCmsPhases, JDK 9 and newer), else where their cause is not that of a phase.
  bool full = false;
  bool counts_phases = false;  // the counter counts concurrent phases too, so it only tells that it ran
};

/// What the JVM writes for the cause while it does not collect.
inline constexpr std::string_view kNoCause = "No GC";

/// The counter of the pauses of concurrent CMS cycles.
inline constexpr std::string_view kCmsPhases = "CMS stop-the-world phases";

/// The MXBeans of G1: of its full collections, of those of the young generation (mixed ones too), and of the pauses of
/// its concurrent cycles.
inline constexpr std::string_view kG1Full = "G1 Old Generation";
inline constexpr std::string_view kG1Young = "G1 Young Generation";
inline constexpr std::string_view kG1Cycle = "G1 Concurrent GC";

/// The MXBeans of the pauses of ZGC's cycles, and of those over the whole heap where it has generations.
inline constexpr std::string_view kZgcPauses = "ZGC Pauses";
inline constexpr std::string_view kZgcMajorPauses = "ZGC Major Pauses";

/// True for the MXBeans of ZGC's and Shenandoah's cycles that collect all there is: what they leave is alive, but for
/// what was allocated meanwhile, and for cycles that Shenandoah gave up, which end alike and have freed nothing. ZGC of
/// JDK 11 has none: its bean ends before anything is freed.
bool is_whole_cycle(std::string_view bean);

/// collector: a family. With generations or without.
bool is_zgc(std::string_view collector);

/// collector: a family. True for ZGC and Shenandoah, which do all their work beside the threads, and make them wait for
/// memory where that takes too long.
bool collects_concurrently(std::string_view collector);

/// nullopt: a name we do not know, or one that stands for nothing ("Shenandoah partial").
std::optional<CollectorName> find_collector(std::string_view counter);

/// The first by what its GarbageCollectorMXBean is called.
std::optional<CollectorName> find_bean(std::string_view bean);

/// cause as the JVM writes it (sun.gc.cause and lastCause) if it is one of HotSpot's, else "other": the container
/// writes it, and a label must not take whatever it likes.
std::string_view known_cause(std::string_view cause);

/// The same of what gc_series_key() was made of; empty if the JVM told none.
std::string_view known_cause_of(uint32_t series);

/// True for the causes of the two pauses of a concurrent CMS cycle.
bool is_cms_phase(std::string_view cause);

}  // namespace manometer::jvm
