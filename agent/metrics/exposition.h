#pragma once

#include <string>
#include <vector>

#include <prometheus/metric_family.h>

namespace manometer::metrics {

// Both know what a Batch can hold: gauges, counters named ..._total, summaries without quantiles, and histograms.

/// Prometheus text format 0.0.4.
std::string to_prometheus_text(const std::vector<prometheus::MetricFamily>& families);

/// OpenMetrics text format 1.0.0: counters' families are named without _total, and "# EOF" ends it.
std::string to_open_metrics(const std::vector<prometheus::MetricFamily>& families);

}  // namespace manometer::metrics
