#pragma once

#include "agent/collectors/collector.h"
#include "agent/requests/watch.h"

namespace manometer::collectors {

/// Requests of the watched processes: durations, their stages, and what waits now.
class HttpRequests : public Collector {
 public:
  /// requests: nullptr if they are not measured. Both must outlive the collector.
  HttpRequests(const requests::Watch* requests, const metrics::Buckets& buckets)
      : requests_(requests), buckets_(buckets), coarse_(buckets.coarse()) {}

  std::string_view name() const override { return "http_requests"; }
  std::span<const metrics::Metric> metrics() const override;
  Result<void> collect(metrics::Batch& batch) override;

 private:
  void add_counts(metrics::Batch& batch, const metrics::Labels& target,
                  const probes::RequestProbe::Counts& counts) const;

  const requests::Watch* requests_;
  const metrics::Buckets& buckets_;
  metrics::Buckets coarse_;  // of the stages that no scaling goes by
};

}  // namespace manometer::collectors
