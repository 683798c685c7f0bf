#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace manometer::test {

/// Which of so many in order, from 1, is the least that at least this share is not above. Throws if there are none.
inline uint64_t quantile_rank(double share, uint64_t count) {
  if (count == 0) throw std::runtime_error("no quantile of nothing");
  // Not quite 1: the product of a share and a whole number may come out a little high.
  constexpr double kRoundUp = 1 - 1e-6;
  const auto rank = static_cast<uint64_t>(share * static_cast<double>(count) + kRoundUp);
  return std::clamp<uint64_t>(rank, 1, count);
}

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
    const size_t index = quantile_rank(share, all_.size()) - 1;
    std::vector<uint64_t> sorted = all_;
    std::ranges::nth_element(sorted, sorted.begin() + static_cast<ptrdiff_t>(index));
    return sorted[index];
  }

  const std::vector<uint64_t>& all() const { return all_; }

 private:
  std::vector<uint64_t> all_;
  uint64_t sum_ns_ = 0;
};

}  // namespace manometer::test
