#pragma once

#include "agent/collectors/collector.h"
#include "agent/jvm/registry.h"

namespace manometer::collectors {

/// How short of memory the JVMs are.
class JvmPressure : public Collector {
 public:
  explicit JvmPressure(const jvm::Registry& jvms) : jvms_(jvms) {}

  std::string_view name() const override { return "jvm_pressure"; }
  std::span<const metrics::Metric> metrics() const override;
  Result<void> collect(metrics::Batch& batch) override;

 private:
  const jvm::Registry& jvms_;
};

}  // namespace manometer::collectors
