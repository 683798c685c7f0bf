#include "agent/jvm/collector_names.h"

#include <algorithm>
#include <array>

#include "bpf/gc.h"

namespace manometer::jvm {
namespace {

constexpr std::array kCollectors{
    CollectorName{"Copy", "Copy", "Serial"},
    CollectorName{"Serial young collection pauses", "Copy", "Serial"},
    CollectorName{"MSC", "MarkSweepCompact", "Serial", true},
    CollectorName{"Serial full collection pauses", "MarkSweepCompact", "Serial", true},
    CollectorName{"PSScavenge", "PS Scavenge", "Parallel"},
    CollectorName{"Parallel young collection pauses", "PS Scavenge", "Parallel"},
    CollectorName{"PSMarkSweep", "PS MarkSweep", "Parallel", true},
    CollectorName{"PSParallelCompact", "PS MarkSweep", "Parallel", true},
    CollectorName{"Parallel full collection pauses", "PS MarkSweep", "Parallel", true},
    CollectorName{"PCopy", "ParNew", "CMS"},
    CollectorName{"CMS", "ConcurrentMarkSweep", "CMS", true},
    CollectorName{kCmsPhases, "ConcurrentMarkSweep", "CMS"},
    CollectorName{"G1 incremental collections", kG1Young, "G1"},
    CollectorName{"G1 young collection pauses", kG1Young, "G1"},
    CollectorName{"G1 stop-the-world full collections", kG1Full, "G1", true},
    CollectorName{"G1 full collection pauses", kG1Full, "G1", true},
    CollectorName{"G1 stop-the-world phases", kG1Cycle, "G1"},
    CollectorName{"G1 concurrent cycle pauses", kG1Cycle, "G1"},
    CollectorName{"Z concurrent cycle pauses", kZgcPauses, "ZGC"},
    CollectorName{"ZGC minor collection pauses", "ZGC Minor Pauses", "Generational ZGC"},
    CollectorName{"ZGC major collection pauses", kZgcMajorPauses, "Generational ZGC"},
    CollectorName{"Shenandoah full", "Shenandoah Pauses", "Shenandoah", false, true},
};

// From gcCause.cpp of OpenJDK 8, 11, 17, 21 and 25, without those of debug builds.
constexpr auto kCauses = std::to_array<std::string_view>({
    "System.gc()",
    kNoCause,
    "Allocation Failure",
    "Ergonomics",
    "Tenured Generation Full",
    "CMS Generation Full",
    "CMS Initial Mark",
    "CMS Final Remark",
    "CMS Concurrent Mark",
    "Last ditch collection",
    "Old Generation Expanded On Last Scavenge",
    "Old Generation Too Full To Scavenge",
    "GCLocker Initiated GC",
    "Metadata GC Threshold",
    "Metadata GC Clear Soft References",
    "CodeCache GC Threshold",
    "CodeCache GC Aggressive",
    "G1 Evacuation Pause",
    "G1 Humongous Allocation",
    "G1 Periodic Collection",
    "G1 Preventive Collection",
    "G1 Compaction Pause",
    "Concurrent GC",
    "Allocation Failure During Evacuation",
    "Upgrade To Full GC",
    "Stopping VM",
    "Timer",
    "Warmup",
    "Allocation Rate",
    "Allocation Stall",
    "Proactive",
    "High Usage",
    "Heap Inspection Initiated GC",
    "Heap Dump Initiated GC",
    "Diagnostic Command",
    "JvmtiEnv ForceGarbageCollection",
});

}  // namespace

std::optional<CollectorName> find_collector(std::string_view counter) {
  const auto found = std::ranges::find(kCollectors, counter, &CollectorName::counter);
  if (found == kCollectors.end()) return std::nullopt;
  return *found;
}

std::optional<CollectorName> find_bean(std::string_view bean) {
  const auto found = std::ranges::find(kCollectors, bean, &CollectorName::bean);
  if (found == kCollectors.end()) return std::nullopt;
  return *found;
}

bool is_whole_cycle(std::string_view bean) {
  return bean == "ZGC Cycles" || bean == "ZGC Major Cycles" || bean == "Shenandoah Cycles";
}

bool is_zgc(std::string_view collector) {
  return collector.ends_with("ZGC");
}

bool collects_concurrently(std::string_view collector) {
  return is_zgc(collector) || collector == "Shenandoah";
}

std::string_view known_cause(std::string_view cause) {
  const auto found = std::ranges::find(kCauses, cause);
  return found == kCauses.end() ? "other" : *found;
}

std::string_view known_cause_of(uint32_t series) {
  if (gc_cause_of(series) == 0) return "";
  const auto found = std::ranges::find_if(kCauses, [&](std::string_view cause) {
    return gc_cause_of(gc_series_key(gc_hash(cause.data()), 0)) == gc_cause_of(series);
  });
  return found == kCauses.end() ? "other" : *found;
}

bool is_cms_phase(std::string_view cause) {
  return cause == "CMS Initial Mark" || cause == "CMS Final Remark";
}

}  // namespace manometer::jvm
