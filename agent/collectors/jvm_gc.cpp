#include "agent/collectors/jvm_gc.h"

#include <array>

namespace manometer::collectors {
namespace {

using metrics::kCounter;
using metrics::kSummary;
using metrics::Metric;

constexpr Metric kPause{
    "manometer_jvm_gc_pause_seconds",
    "Pauses for garbage collection, the time to reach them included, since the agent knows the JVM. collector: "
    "as its MXBean is called.",
    kSummary, "collector,cause"};
constexpr Metric kCpu{
    "manometer_jvm_gc_cpu_seconds_total",
    "CPU time of the threads that collect garbage. source: counters (the JVM's own; G1 and Parallel of "
    "JDK 25), threads (the kernel's of each).",
    kCounter, "source"};
constexpr Metric kSafepoints{"manometer_jvm_safepoints_total", "Times all threads were stopped, for whatever reason.",
                             kCounter};
constexpr Metric kSafepointSeconds{"manometer_jvm_safepoint_seconds_total",
                                   "Time in which all threads were stopped or being stopped, for whatever reason.",
                                   kCounter};
constexpr Metric kSyncSeconds{"manometer_jvm_safepoint_sync_seconds_total",
                              "Time spent to bring the threads to a stop; part of the above.", kCounter};
constexpr Metric kStalls{"manometer_jvm_allocation_stalls_total",
                         "Times a thread waited until ZGC had freed memory, since the agent knows the JVM.", kCounter};
constexpr Metric kStallSeconds{"manometer_jvm_allocation_stall_seconds_total",
                               "How long threads waited until ZGC had freed memory, each by itself.", kCounter};
constexpr std::array kMetrics{kPause, kCpu, kSafepoints, kSafepointSeconds, kSyncSeconds, kStalls, kStallSeconds};

double seconds(uint64_t ns) {
  constexpr double kNanosecondsPerSecond = 1e9;
  return static_cast<double>(ns) / kNanosecondsPerSecond;
}

void add_seconds(metrics::Batch& batch, const Metric& metric, const metrics::Labels& target,
                 std::optional<uint64_t> ns) {
  if (ns) batch.add(metric, target, seconds(*ns));
}

}  // namespace

std::span<const Metric> JvmGc::metrics() const {
  return kMetrics;
}

Result<void> JvmGc::collect(metrics::Batch& batch) {
  for (const auto& [key, jvm] : jvms_.jvms()) {
    if (!jvm.sample || jvm.refusal) continue;
    const metrics::Labels target = jvms_.target(jvm).labels();
    for (const auto& [collector_and_cause, pauses] : jvm.gc.by_cause()) {
      const auto& [collector, cause] = collector_and_cause;
      batch.add_summary(kPause, target, {{"collector", std::string(collector)}, {"cause", std::string(cause)}},
                        pauses.count, seconds(pauses.ns));
    }
    if (const auto& cpu = jvm.sample->gc_cpu) {
      batch.add(kCpu, target, {{"source", std::string(cpu->source)}}, seconds(cpu->ns));
    }
    if (jvm.sample->safepoints) {
      batch.add(kSafepoints, target, static_cast<double>(*jvm.sample->safepoints));
    }
    add_seconds(batch, kSafepointSeconds, target, jvm.sample->safepoint_ns);
    add_seconds(batch, kSyncSeconds, target, jvm.sample->safepoint_sync_ns);
    if (!jvm.stalls) continue;
    batch.add(kStalls, target, static_cast<double>(jvm.stalls->stalls));
    add_seconds(batch, kStallSeconds, target, jvm.stalls->stall_ns);
  }
  return {};
}

}  // namespace manometer::collectors
