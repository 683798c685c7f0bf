#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace manometer::test {

/// Every one of many durations, so that their quantiles are exact.
class Durations {
 public:
  void add(uint64_t ns) {
    all_.push_back(ns);
    sum_ns_ += ns;
  }
  uint64_t count() const { return all_.size(); }
  uint64_t sum_ns() const { return sum_ns_; }

  /// The least of them that at least this share is not above. Throws if there are none.
  uint64_t quantile_ns(double share) const {
    if (all_.empty()) throw std::runtime_error("no durations");
    const auto rank = static_cast<size_t>(share * static_cast<double>(all_.size()) + kRoundUp);
    std::vector<uint64_t> sorted = all_;
    const size_t index = std::clamp<size_t>(rank, 1, sorted.size()) - 1;
    std::ranges::nth_element(sorted, sorted.begin() + static_cast<ptrdiff_t>(index));
    return sorted[index];
  }

  const std::vector<uint64_t>& all() const { return all_; }

 private:
  // Not quite 1: the product of a share and a whole number may come out a little high.
  static constexpr double kRoundUp = 1 - 1e-6;

  std::vector<uint64_t> all_;
  uint64_t sum_ns_ = 0;
};

}  // namespace manometer::test
