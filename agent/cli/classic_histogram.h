#pragma once

#include <map>
#include <optional>

namespace manometer::cli {

/// Seconds; below: it is known to be less than that, and nothing else.
struct Quantile {
  double seconds;
  bool below;

  bool operator==(const Quantile&) const = default;
};

/// A Prometheus histogram as it is read back from its _bucket samples.
class ClassicHistogram {
 public:
  /// Adds to the bucket `le`, so that the buckets of several series become those of their sum.
  void add(double le, double cumulative_count) { cumulative_[le] += cumulative_count; }
  double count() const { return cumulative_.empty() ? 0 : cumulative_.rbegin()->second; }

  /// What came after an earlier scrape of it; all of it if it was restarted between.
  ClassicHistogram since(const ClassicHistogram& before) const;

  /// By linear interpolation within the bucket that has it, as PromQL's histogram_quantile does: a quantile above the
  /// highest bound is that bound. In the first bucket it is below its bound: to interpolate from 0 would invent digits.
  /// nullopt if nothing was counted.
  std::optional<Quantile> quantile(double q) const;

 private:
  std::map<double, double> cumulative_;  // by le
};

}  // namespace manometer::cli
