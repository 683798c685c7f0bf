#include "agent/collectors/container_memory.h"

#include <array>

namespace manometer::collectors {
namespace {

using metrics::kCounter;
using metrics::kGauge;
using metrics::kMinimal;
using metrics::Metric;

constexpr Metric kUsage{"manometer_container_memory_usage_bytes",
                        "Memory charged to the container, page cache included.", kGauge, "", kMinimal};
constexpr Metric kLimit{"manometer_container_memory_limit_bytes",
                        "Lowest memory limit on the container's path in the cgroup tree; absent if there is none.",
                        kGauge, "", kMinimal};
constexpr Metric kWorkingSet{"manometer_container_memory_working_set_bytes",
                             "Usage without inactive file pages: what the kubelet evicts by.", kGauge};
constexpr Metric kPart{
    "manometer_container_memory_part_bytes",
    "Parts of the usage that cannot be dropped: anon (heaps of most collectors), shmem (the heap of ZGC), kernel.",
    kGauge, "part"};
constexpr Metric kEvents{"manometer_container_memory_events_total",
                         "How often the container met a memory boundary: low, high, max (its limit), oom, oom_kill.",
                         kCounter, "event"};
constexpr Metric kPressure{"manometer_container_memory_pressure_seconds_total",
                           "Time in which some, or all (full), of the container's tasks waited for memory (PSI).",
                           kCounter, "kind"};
constexpr Metric kMajorFaults{"manometer_container_major_faults_total",
                              "Page faults of the container that had to wait for a disk.", kCounter};
constexpr Metric kReclaim{"manometer_container_reclaim_stall_seconds_total",
                          "Time the container's tasks spent reclaiming memory before they could go on, summed over "
                          "tasks, since the agent knows it.",
                          kCounter};
constexpr Metric kCompaction{"manometer_container_compaction_stall_seconds_total",
                             "Time the container's tasks spent compacting memory before they could go on, summed over "
                             "tasks, since the agent knows it.",
                             kCounter};
constexpr Metric kOomKills{"manometer_container_oom_kills_total",
                           "Processes of the container that the OOM killer ended, since the agent knows it; goes on "
                           "when the container is gone or starts again.",
                           kCounter, "", kMinimal};
constexpr std::array kMetrics{kUsage,    kLimit,       kWorkingSet, kPart,       kEvents,
                              kPressure, kMajorFaults, kReclaim,    kCompaction, kOomKills};

void add(metrics::Batch& batch, const Metric& metric, const metrics::Labels& target, std::optional<uint64_t> value) {
  if (value) batch.add(metric, target, static_cast<double>(*value));
}

void add(metrics::Batch& batch, const Metric& metric, const metrics::Labels& target, metrics::Label label,
         std::optional<uint64_t> value) {
  if (value) batch.add(metric, target, {std::move(label)}, static_cast<double>(*value));
}

void add_usage(metrics::Batch& batch, const metrics::Labels& target, const node::MemoryUsage& usage) {
  constexpr double kMicrosecondsPerSecond = 1e6;
  add(batch, kUsage, target, usage.usage_bytes);
  add(batch, kLimit, target, usage.limit_bytes);
  add(batch, kWorkingSet, target, usage.working_set_bytes);
  add(batch, kPart, target, {"part", "anon"}, usage.anon_bytes);
  add(batch, kPart, target, {"part", "shmem"}, usage.shmem_bytes);
  add(batch, kPart, target, {"part", "kernel"}, usage.kernel_bytes);
  add(batch, kEvents, target, {"event", "low"}, usage.low_events);
  add(batch, kEvents, target, {"event", "high"}, usage.high_events);
  add(batch, kEvents, target, {"event", "max"}, usage.max_events);
  add(batch, kEvents, target, {"event", "oom"}, usage.oom_events);
  add(batch, kEvents, target, {"event", "oom_kill"}, usage.oom_kill_events);
  add(batch, kMajorFaults, target, usage.major_faults);
  if (!usage.pressure) return;
  const node::Psi& psi = *usage.pressure;
  batch.add(kPressure, target, {{"kind", "some"}}, static_cast<double>(psi.some_us) / kMicrosecondsPerSecond);
  batch.add(kPressure, target, {{"kind", "full"}}, static_cast<double>(psi.full_us) / kMicrosecondsPerSecond);
}

void add_counts(metrics::Batch& batch, const metrics::Labels& target, const memory_counts& counts) {
  constexpr double kNanosecondsPerSecond = 1e9;
  batch.add(kReclaim, target, static_cast<double>(counts.reclaim_ns) / kNanosecondsPerSecond);
  batch.add(kCompaction, target, static_cast<double>(counts.compaction_ns) / kNanosecondsPerSecond);
}

}  // namespace

std::span<const Metric> ContainerMemory::metrics() const {
  return kMetrics;
}

Result<void> ContainerMemory::collect(metrics::Batch& batch) {
  Result<void> result;
  for (const auto& [path, container] : containers_.all()) {
    if (!container.memory) continue;
    if (const auto counts = containers_.counts(container)) add_counts(batch, container.target.labels(), *counts);
    auto usage = container.memory->read();
    if (!usage) {
      result = std::move(usage).error().with_context("cgroup " + path);
    } else if (*usage) {
      add_usage(batch, container.target.labels(), **usage);
    }
  }
  for (const auto& [target, kills] : containers_.oom_kills())
    batch.add(kOomKills, target.labels(), static_cast<double>(kills));
  return result;
}

}  // namespace manometer::collectors
