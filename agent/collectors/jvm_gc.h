#pragma once

#include "agent/collectors/collector.h"
#include "agent/jvm/gc_watch.h"
#include "agent/jvm/registry.h"
#include "agent/metrics/buckets.h"

namespace manometer::collectors {

/// How long the JVMs stood still, and why.
class JvmGc : public Collector {
 public:
  /// gc: nullptr if it is not measured. Both must outlive the collector.
  JvmGc(const jvm::Registry& jvms, const jvm::GcWatch* gc, const metrics::Buckets& buckets)
      : jvms_(jvms), gc_(gc), buckets_(buckets.coarse(3)) {}

  std::string_view name() const override { return "jvm_gc"; }
  std::span<const metrics::Metric> metrics() const override;
  Result<void> collect(metrics::Batch& batch) override;

 private:
  static void add_counters(metrics::Batch& batch, const metrics::Labels& target, const jvm::Jvm& jvm);
  void add_stops(metrics::Batch& batch, const metrics::Labels& target, const jvm::Jvm& jvm,
                 const jvm::GcWatch::Stops& stops) const;

  const jvm::Registry& jvms_;
  const jvm::GcWatch* gc_;
  metrics::Buckets buckets_;
};

}  // namespace manometer::collectors
