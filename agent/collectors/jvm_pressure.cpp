#include "agent/collectors/jvm_pressure.h"

#include <array>

namespace manometer::collectors {
namespace {

using metrics::kGauge;
using metrics::kMinimal;
using metrics::Metric;

constexpr Metric kIndex{"manometer_jvm_memory_pressure_ratio",
                        "How short of memory the JVM is, 0 to 1: the highest of the components there are.", kGauge, "",
                        kMinimal};
constexpr Metric kLoad{
    "manometer_jvm_memory_pressure_load_ratio",
    "The part of the pressure that more replicas relieve: the highest of gc, stall and psi; absent without gc.", kGauge,
    "", kMinimal};
constexpr Metric kComponent{
    "manometer_jvm_memory_pressure_component_ratio",
    "What the pressure is made of, 0 to 1 each: gc, stall, live, psi, oom; what cannot be known is absent.", kGauge,
    "component", kMinimal};
constexpr Metric kOvercommit{
    "manometer_jvm_heap_limit_overcommit_ratio",
    "Largest heap and all other memory of the container, by its limit; above 1 they do not fit.", kGauge, "", kMinimal};
constexpr Metric kGrowth{"manometer_jvm_live_set_growth_bytes_per_second",
                         "How fast the live set grows, over the leak window.", kGauge};
constexpr Metric kLeak{"manometer_jvm_leak_suspected", "1 if the live set grew all through the leak window.", kGauge,
                       "", kMinimal};
constexpr std::array kMetrics{kIndex, kLoad, kComponent, kOvercommit, kGrowth, kLeak};

struct Component {
  const char* name;
  std::optional<double> jvm::Pressure::*value;
};
constexpr std::array kComponents{Component{"gc", &jvm::Pressure::gc}, Component{"stall", &jvm::Pressure::stall},
                                 Component{"live", &jvm::Pressure::live}, Component{"psi", &jvm::Pressure::psi},
                                 Component{"oom", &jvm::Pressure::oom}};

void add(metrics::Batch& batch, const Metric& metric, const metrics::Labels& target, std::optional<double> value,
         std::initializer_list<metrics::Label> more = {}) {
  if (value) batch.add(metric, target, more, *value);
}

}  // namespace

std::span<const Metric> JvmPressure::metrics() const {
  return kMetrics;
}

Result<void> JvmPressure::collect(metrics::Batch& batch) {
  for (const auto& [key, jvm] : jvms_.jvms()) {
    if (jvm.refusal) continue;
    const metrics::Labels target = jvms_.target(jvm).labels();
    const jvm::Pressure& pressure = jvm.pressure;
    add(batch, kIndex, target, pressure.index);
    add(batch, kLoad, target, pressure.load);
    for (const auto& [name, value] : kComponents)
      add(batch, kComponent, target, pressure.*value, {{"component", name}});
    add(batch, kOvercommit, target, pressure.overcommit);
    add(batch, kGrowth, target, pressure.live_growth_bytes_per_second);
    if (pressure.leak_suspected) batch.add(kLeak, target, *pressure.leak_suspected ? 1 : 0);
  }
  return {};
}

}  // namespace manometer::collectors
