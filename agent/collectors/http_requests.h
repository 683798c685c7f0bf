#pragma once

#include "agent/collectors/collector.h"
#include "agent/requests/watch.h"

namespace manometer::collectors {

/// Requests of the watched processes: durations, their stages, and what waits now.
class HttpRequests : public Collector {
 public:
  /// requests: nullptr if they are not measured; must outlive the collector.
  explicit HttpRequests(const requests::Watch* requests) : requests_(requests) {}

  std::string_view name() const override { return "http_requests"; }
  std::span<const metrics::Metric> metrics() const override;
  Result<void> collect(metrics::Batch& batch) override;

 private:
  void add_counts(metrics::Batch& batch, const metrics::Labels& target,
                  const probes::RequestProbe::Counts& counts) const;
  void add_histogram(metrics::Batch& batch, const metrics::Metric& metric, const metrics::Labels& target,
                     const metrics::Labels& more, const request_histogram& histogram) const;

  const requests::Watch* requests_;
};

}  // namespace manometer::collectors
