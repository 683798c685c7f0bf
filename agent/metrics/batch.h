#pragma once
// Metrics are values built at scrape: a target that is gone leaves no series behind.

#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>

#include "agent/metrics/buckets.h"
#include "bpf/histogram.h"

namespace manometer::metrics {

using Label = prometheus::ClientMetric::Label;
using Labels = std::vector<Label>;

/// How much is exported (--profile).
enum class Profile {
  kMinimal,  // what one scales on and is alerted by; histograms without buckets, one for each target
  kDefault,  // all there is
};

/// One exported metric. Every collector lists its own; docs/metrics.md is tested against these lists.
struct Metric {
  std::string_view name;
  std::string_view help;
  prometheus::MetricType type;
  /// Names of the labels beyond those of the target, separated by commas; for the reference only.
  std::string_view labels = "";
  /// The smallest that it is in.
  Profile profile = Profile::kDefault;
};

inline constexpr auto kGauge = prometheus::MetricType::Gauge;
inline constexpr auto kCounter = prometheus::MetricType::Counter;
inline constexpr auto kHistogram = prometheus::MetricType::Histogram;
inline constexpr auto kMinimal = Profile::kMinimal;

inline double seconds(uint64_t ns) {
  constexpr double kNanosecondsPerSecond = 1e9;
  return static_cast<double>(ns) / kNanosecondsPerSecond;
}

class Batch {
 public:
  explicit Batch(Profile profile = Profile::kDefault) : profile_(profile) {}

  /// Adds one series, if its metric is in the profile. Metric must outlive the batch (they are constants). Label values
  /// may be any bytes: what is not valid UTF-8 is replaced, and values are cut at kMaxLabelBytes.
  void add(const Metric& metric, const Labels& target, std::initializer_list<Label> more, double value);
  void add(const Metric& metric, const Labels& target, double value) { add(metric, target, {}, value); }

  /// bounds_seconds: ascending; cumulative: the counts at or below each of them, and of all last. More labels as a
  /// vector, because which there are may depend on what was measured.
  void add_histogram(const Metric& metric, const Labels& target, const Labels& more,
                     std::span<const double> bounds_seconds, std::span<const uint64_t> cumulative, double sum);
  /// counted: in the slots of buckets.
  void add_histogram(const Metric& metric, const Labels& target, const Labels& more, const Buckets& buckets,
                     const latency_histogram& counted);

  /// A histogram counts as one.
  size_t series() const { return series_; }

  /// The families in order of their names, and the batch empty again.
  std::vector<prometheus::MetricFamily> take();

 private:
  bool has(const Metric& metric) const { return profile_ == Profile::kDefault || metric.profile == profile_; }
  prometheus::MetricFamily& family_of(const Metric& metric);
  prometheus::ClientMetric& add_series(const Metric& metric, const Labels& target, std::span<const Label> more);
  prometheus::ClientMetric& total_of(const Metric& metric, const Labels& target);

  Profile profile_;
  std::map<std::string_view, prometheus::MetricFamily> families_;
  size_t series_ = 0;
};

/// Longest label value we export; the longest name of ours is a pod's, 253 bytes.
inline constexpr size_t kMaxLabelBytes = 256;

/// text as valid UTF-8 of at most kMaxLabelBytes, every byte that is not replaced by U+FFFD.
std::string label_value(std::string_view text);

}  // namespace manometer::metrics
