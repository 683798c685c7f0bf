#include "agent/collectors/jvm_runtime.h"

#include <array>

namespace manometer::collectors {
namespace {

using metrics::kCounter;
using metrics::kGauge;
using metrics::Metric;

constexpr Metric kThreads{"manometer_jvm_threads", "Live Java threads, daemons included.", kGauge};
constexpr Metric kDaemonThreads{"manometer_jvm_daemon_threads", "Live daemon threads.", kGauge};
constexpr Metric kThreadsStarted{"manometer_jvm_threads_started_total", "Java threads started.", kCounter};
constexpr Metric kClasses{"manometer_jvm_classes_loaded", "Classes loaded now.", kGauge};
constexpr Metric kClassesUnloaded{"manometer_jvm_classes_unloaded_total", "Classes unloaded.", kCounter};
constexpr Metric kMetaspaceUsed{"manometer_jvm_metaspace_used_bytes",
                                "Metaspace used, as of the last collection; 0 before the first.", kGauge};
constexpr Metric kMetaspaceCommitted{"manometer_jvm_metaspace_committed_bytes",
                                     "Metaspace committed, as of the last collection.", kGauge};
constexpr Metric kMetaspaceMax{"manometer_jvm_metaspace_max_bytes", "Address space reserved for metaspace.", kGauge};
constexpr Metric kJit{"manometer_jvm_jit_seconds_total", "Time spent compiling methods, summed over compiler threads.",
                      kCounter};
constexpr std::array kMetrics{kThreads,       kDaemonThreads,      kThreadsStarted, kClasses, kClassesUnloaded,
                              kMetaspaceUsed, kMetaspaceCommitted, kMetaspaceMax,   kJit};

void add(metrics::Batch& batch, const Metric& metric, const metrics::Labels& target, std::optional<uint64_t> value,
         double per_unit = 1) {
  if (value) batch.add(metric, target, static_cast<double>(*value) / per_unit);
}

}  // namespace

std::span<const Metric> JvmRuntime::metrics() const {
  return kMetrics;
}

Result<void> JvmRuntime::collect(metrics::Batch& batch) {
  constexpr double kNanosecondsPerSecond = 1e9;
  for (const auto& [key, jvm] : jvms_.jvms()) {
    if (!jvm.sample || jvm.refusal) continue;
    const jvm::PerfSample& sample = *jvm.sample;
    const metrics::Labels target = jvms_.target(jvm).labels();
    add(batch, kThreads, target, sample.threads);
    add(batch, kDaemonThreads, target, sample.daemon_threads);
    add(batch, kThreadsStarted, target, sample.started_threads);
    add(batch, kClasses, target, sample.loaded_classes);
    add(batch, kClassesUnloaded, target, sample.unloaded_classes);
    add(batch, kMetaspaceUsed, target, sample.metaspace.used_bytes);
    add(batch, kMetaspaceCommitted, target, sample.metaspace.committed_bytes);
    add(batch, kMetaspaceMax, target, sample.metaspace.max_bytes);
    add(batch, kJit, target, sample.jit_ns, kNanosecondsPerSecond);
  }
  return {};
}

}  // namespace manometer::collectors
