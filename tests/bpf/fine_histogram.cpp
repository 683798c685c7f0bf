#include "tests/bpf/fine_histogram.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "tests/bpf/durations.h"

namespace manometer::test {

uint64_t FineHistogram::count() const {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

Slot FineHistogram::quantile(double share) const {
  const uint64_t rank = quantile_rank(share, count());
  uint64_t below = 0;
  for (size_t i = 0; i < bounds_ns.size(); i++) {
    below += counts.at(i);
    if (below >= rank) return {i == 0 ? 0 : static_cast<double>(bounds_ns[i - 1]), static_cast<double>(bounds_ns[i])};
  }
  throw std::runtime_error("the quantile is above all bounds");
}

}  // namespace manometer::test
