#pragma once
// The slots that requests are counted in, and what is made of their counts (design section 2).

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "agent/base/result.h"

namespace manometer::metrics {

/// What `--buckets` is unless said otherwise.
inline constexpr std::array kDefaultClassicSeconds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                   0.1,    0.25,  0.5,    1.0,   2.5,  5.0,   10.0};

/// Bounds of native schema 3 and of a classic histogram in one list of slots, so that the buckets of both are sums of
/// whole slots. Counts come one for each of bounds_ns() and one more, for what is above them all.
class Buckets {
 public:
  static constexpr size_t kMaxClassic = 32;
  static constexpr double kLeastSeconds = 1e-6;
  static constexpr double kMostSeconds = 1e4;
  /// Native bounds are 2^(i/8) s.
  static constexpr int kPerOctave = 8;
  static constexpr int kFirstNative = -112;
  static constexpr int kLastNative = 48;
  static constexpr size_t kMaxSlots = kLastNative - kFirstNative + 1 + kMaxClassic + 1;

  /// An Error names the bound that cannot be taken, and those that can.
  static Result<Buckets> make(std::vector<double> classic_seconds);

  /// Inclusive upper bounds, ascending.
  const std::vector<uint64_t>& bounds_ns() const { return bounds_ns_; }
  const std::vector<double>& classic_seconds() const { return classic_seconds_; }
  /// The same slots, and of the classic bounds every step-th, counted from the last: for what there is much of.
  Buckets coarse(size_t step) const;

  /// Counts at or below each classic bound, and of all last (le="+Inf").
  std::vector<uint64_t> cumulative(std::span<const uint64_t> slots) const;
  /// In seconds: the middle of the slot that has it, for the last slot its lower bound; NaN without counts.
  double quantile(double q, std::span<const uint64_t> slots) const;

 private:
  explicit Buckets(std::vector<double> classic_seconds);

  std::vector<double> classic_seconds_;
  std::vector<uint64_t> bounds_ns_;
};

}  // namespace manometer::metrics
