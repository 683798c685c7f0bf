#pragma once

#include "agent/collectors/collector.h"
#include "agent/jvm/registry.h"

namespace manometer::collectors {

/// How long the JVMs stood still, and why.
class JvmGc : public Collector {
 public:
  explicit JvmGc(const jvm::Registry& jvms) : jvms_(jvms) {}

  std::string_view name() const override { return "jvm_gc"; }
  std::span<const metrics::Metric> metrics() const override;
  Result<void> collect(metrics::Batch& batch) override;

 private:
  const jvm::Registry& jvms_;
};

}  // namespace manometer::collectors
