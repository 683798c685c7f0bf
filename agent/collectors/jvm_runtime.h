#pragma once

#include "agent/collectors/collector.h"
#include "agent/jvm/registry.h"

namespace manometer::collectors {

/// Threads, classes, metaspace and compilation of the JVMs.
class JvmRuntime : public Collector {
 public:
  explicit JvmRuntime(const jvm::Registry& jvms) : jvms_(jvms) {}

  std::string_view name() const override { return "jvm_runtime"; }
  std::span<const metrics::Metric> metrics() const override;
  Result<void> collect(metrics::Batch& batch) override;

 private:
  const jvm::Registry& jvms_;
};

}  // namespace manometer::collectors
