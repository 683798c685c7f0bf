#pragma once

#include "agent/collectors/collector.h"
#include "agent/container/index.h"

namespace manometer::collectors {

/// What the kernel accounts to, and counts for, the containers that have a JVM, read at scrape; of those that had one
/// the OOM kills.
class ContainerMemory : public Collector {
 public:
  explicit ContainerMemory(const container::Index& containers) : containers_(containers) {}

  std::string_view name() const override { return "container_memory"; }
  std::span<const metrics::Metric> metrics() const override;
  Result<void> collect(metrics::Batch& batch) override;

 private:
  const container::Index& containers_;
};

}  // namespace manometer::collectors
