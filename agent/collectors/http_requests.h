#pragma once

#include <array>

#include "agent/collectors/collector.h"
#include "agent/requests/watch.h"

namespace manometer::collectors {

/// Requests of the watched processes: durations, their stages, and what waits now.
class HttpRequests : public Collector {
 public:
  /// requests: nullptr if they are not measured. Both must outlive the collector.
  HttpRequests(const requests::Watch* requests, const metrics::Buckets& buckets)
      : requests_(requests),
        duration_buckets_(buckets),
        stage_buckets_{buckets, buckets.coarse(2), buckets.coarse(3)} {}

  std::string_view name() const override { return "http_requests"; }
  std::span<const metrics::Metric> metrics() const override;
  Result<void> collect(metrics::Batch& batch) override;

 private:
  void add_counts(metrics::Batch& batch, const metrics::Labels& target,
                  const probes::RequestProbe::Counts& counts) const;

  const requests::Watch* requests_;
  const metrics::Buckets& duration_buckets_;
  /// The fewer the less one scales by them: a JVM has 150 series at most by default.
  std::array<metrics::Buckets, REQUEST_STAGES> stage_buckets_;
};

}  // namespace manometer::collectors
