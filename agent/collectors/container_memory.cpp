#include "agent/collectors/container_memory.h"

#include <array>

namespace manometer::collectors {
namespace {

using metrics::kCounter;
using metrics::kGauge;
using metrics::Metric;

constexpr Metric kUsage{"manometer_container_memory_usage_bytes",
                        "Memory charged to the container, page cache included.", kGauge};
constexpr Metric kLimit{"manometer_container_memory_limit_bytes",
                        "Lowest memory limit on the container's path in the cgroup tree; absent if there is none.",
                        kGauge};
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
constexpr std::array kMetrics{kUsage, kLimit, kWorkingSet, kPart, kEvents, kPressure};

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
  if (!usage.pressure) return;
  const node::Psi& psi = *usage.pressure;
  batch.add(kPressure, target, {{"kind", "some"}}, static_cast<double>(psi.some_us) / kMicrosecondsPerSecond);
  batch.add(kPressure, target, {{"kind", "full"}}, static_cast<double>(psi.full_us) / kMicrosecondsPerSecond);
}

}  // namespace

std::span<const Metric> ContainerMemory::metrics() const {
  return kMetrics;
}

Result<void> ContainerMemory::collect(metrics::Batch& batch) {
  Result<void> result;
  for (const auto& [path, container] : containers_.all()) {
    if (!container.memory) continue;
    auto usage = container.memory->read();
    if (!usage) {
      result = std::move(usage).error().with_context("cgroup " + path);
    } else if (*usage) {
      add_usage(batch, container.target.labels(), **usage);
    }
  }
  return result;
}

}  // namespace manometer::collectors
