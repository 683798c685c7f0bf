#include "agent/collectors/jvm_gc.h"

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <map>

namespace manometer::collectors {
namespace {

using metrics::kCounter;
using metrics::kHistogram;
using metrics::Metric;
using metrics::seconds;

constexpr Metric kPause{
    "manometer_jvm_gc_pause_seconds",
    "Pauses for garbage collection, the time to reach them included, since the agent knows the JVM. collector: as its "
    "MXBean is called. source: usdt or symbols (seen by the kernel at such places of libjvm, each by itself), counters "
    "(the JVM's own; no buckets).",
    kHistogram, "source,collector,cause"};
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
constexpr Metric kStalls{
    "manometer_jvm_allocation_stalls_total",
    "Times a thread waited until ZGC or Shenandoah had freed memory, since the agent knows the JVM.", kCounter};
constexpr Metric kStallSeconds{"manometer_jvm_allocation_stall_seconds_total",
                               "How long threads waited until ZGC or Shenandoah had freed memory, each by itself.",
                               kCounter};
constexpr std::array kMetrics{kPause, kCpu, kSafepoints, kSafepointSeconds, kSyncSeconds, kStalls, kStallSeconds};

/// Labels of kPause; what is not known is left out.
metrics::Labels labels_of(std::string_view source, std::string_view collector, std::string_view cause) {
  metrics::Labels labels{{"source", std::string(source)}};
  if (!collector.empty()) labels.push_back({"collector", std::string(collector)});
  if (!cause.empty()) labels.push_back({"cause", std::string(cause)});
  return labels;
}

/// If they are counters of the JVM's own, which must not change places with ours.
bool has_own_safepoints(const jvm::Jvm& jvm) {
  return jvm.identity && jvm.tier != jvm::Tier::kUsdt;
}

/// MXBean name of the collector of pauses with this key. ZGC of JDK 11 counts nothing, and is its own; where there is
/// one only, it need not count what it does in a pause (Shenandoah of JDK 11 does not).
std::string_view collector_of(uint32_t series, const jvm::Jvm& jvm) {
  const auto& identity = jvm.identity;
  if (!identity || jvm.tier == jvm::Tier::kUsdt || series == 0) return "";
  if (identity->collectors.empty()) return identity->collector;
  const uint32_t collector = identity->collectors.size() == 1 ? 0 : gc_collector_of(series);
  return collector < identity->collectors.size() ? identity->collectors[collector].bean : "";
}

void add(latency_histogram& sum, const latency_histogram& more) {
  sum.sum_ns += more.sum_ns;
  std::ranges::transform(sum.counts, more.counts, std::begin(sum.counts), std::plus());
}

void add_seconds(metrics::Batch& batch, const Metric& metric, const metrics::Labels& target,
                 std::optional<uint64_t> ns) {
  if (ns) batch.add(metric, target, seconds(*ns));
}

}  // namespace

std::span<const Metric> JvmGc::metrics() const {
  return kMetrics;
}

void JvmGc::add_stops(metrics::Batch& batch, const metrics::Labels& target, const jvm::Jvm& jvm,
                      const jvm::GcWatch::Stops& stops) const {
  std::map<std::pair<std::string_view, std::string_view>, latency_histogram> pauses;
  for (const auto& [series, histogram] : stops.pauses) {
    const std::string_view cause = series == 0 ? "other" : jvm::known_cause_of(series);
    add(pauses[{collector_of(series, jvm), cause}], histogram);
  }
  for (const auto& [collector_and_cause, histogram] : pauses) {
    const auto& [collector, cause] = collector_and_cause;
    batch.add_histogram(kPause, target, labels_of(stops.source, collector, cause), buckets_, histogram);
  }
}

void JvmGc::add_counters(metrics::Batch& batch, const metrics::Labels& target, const jvm::Jvm& jvm) {
  if (const auto& cpu = jvm.sample->gc_cpu) {
    batch.add(kCpu, target, {{"source", std::string(cpu->source)}}, seconds(cpu->ns));
  }
  if (has_own_safepoints(jvm)) {
    if (jvm.sample->safepoints) batch.add(kSafepoints, target, static_cast<double>(*jvm.sample->safepoints));
    add_seconds(batch, kSafepointSeconds, target, jvm.sample->safepoint_ns);
    add_seconds(batch, kSyncSeconds, target, jvm.sample->safepoint_sync_ns);
  }
  if (!jvm.stalls) return;
  batch.add(kStalls, target, static_cast<double>(jvm.stalls->stalls));
  add_seconds(batch, kStallSeconds, target, jvm.stalls->stall_ns);
}

Result<void> JvmGc::collect(metrics::Batch& batch) {
  for (const auto& [key, jvm] : jvms_.jvms()) {
    const metrics::Labels target = jvms_.target(jvm).labels();
    const bool has_counters = jvm.sample && !jvm.refusal;
    if (has_counters) add_counters(batch, target, jvm);
    const auto stops = gc_ == nullptr ? std::nullopt : gc_->stops(key);
    if (stops) {
      add_stops(batch, target, jvm, *stops);
      if (has_own_safepoints(jvm)) continue;
      batch.add(kSafepoints, target, static_cast<double>(stops->process.safepoints));
      batch.add(kSafepointSeconds, target, seconds(stops->process.safepoint_ns));
    } else if (has_counters && (gc_ == nullptr || !gc_->is_pending(key))) {
      for (const auto& [collector_and_cause, pauses] : jvm.gc.by_cause()) {
        const auto& [collector, cause] = collector_and_cause;
        batch.add_histogram(kPause, target, labels_of("counters", collector, cause), {}, std::array{pauses.count},
                            seconds(pauses.ns));
      }
    }
  }
  return {};
}

}  // namespace manometer::collectors
