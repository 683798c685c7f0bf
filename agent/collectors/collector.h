#pragma once

#include <span>
#include <string_view>

#include "agent/base/result.h"
#include "agent/metrics/batch.h"

namespace manometer::collectors {

/// Turns state into series at scrape. One file a collector; all.cpp has the list of them.
class Collector {
 public:
  virtual ~Collector() = default;

  virtual std::string_view name() const = 0;
  /// Everything collect() may add.
  virtual std::span<const metrics::Metric> metrics() const = 0;
  /// Adds what is known now. An error is logged once and exported as manometer_collector_success 0; what was added
  /// stays.
  virtual Result<void> collect(metrics::Batch& batch) = 0;
};

}  // namespace manometer::collectors
