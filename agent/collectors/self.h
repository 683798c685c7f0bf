#pragma once

#include <map>

#include "agent/collectors/all.h"
#include "agent/collectors/collector.h"

namespace manometer::collectors {

/// The agent itself: what works, what was lost, what it costs.
class Self : public Collector {
 public:
  explicit Self(const Sources& sources) : sources_(sources) {}

  std::string_view name() const override { return "self"; }
  std::span<const metrics::Metric> metrics() const override;
  Result<void> collect(metrics::Batch& batch) override;

 private:
  void add_jvms(metrics::Batch& batch) const;
  void add_refused(metrics::Batch& batch) const;
  void add_unmeasured(metrics::Batch& batch) const;
  void add_probes(metrics::Batch& batch) const;
  Result<void> add_process(metrics::Batch& batch) const;

  Sources sources_;
};

}  // namespace manometer::collectors
