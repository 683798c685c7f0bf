#pragma once

#include "agent/collectors/collector.h"
#include "agent/jvm/registry.h"

namespace manometer::collectors {

/// Who the JVMs are and what is in their heaps, as of their last sample.
class JvmHeap : public Collector {
 public:
  explicit JvmHeap(const jvm::Registry& jvms) : jvms_(jvms) {}

  std::string_view name() const override { return "jvm_heap"; }
  std::span<const metrics::Metric> metrics() const override;
  Result<void> collect(metrics::Batch& batch) override;

 private:
  const jvm::Registry& jvms_;
};

}  // namespace manometer::collectors
