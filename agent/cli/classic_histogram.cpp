#include "agent/cli/classic_histogram.h"

#include <algorithm>
#include <cmath>

namespace manometer::cli {

ClassicHistogram ClassicHistogram::since(const ClassicHistogram& before) const {
  if (count() < before.count()) return *this;
  ClassicHistogram out;
  double below = 0;
  for (const auto& [le, cumulative] : cumulative_) {
    const auto then = before.cumulative_.find(le);
    // Cumulative counts do not fall, whatever the agent's buckets were before.
    below = std::max(below, cumulative - (then == before.cumulative_.end() ? 0 : then->second));
    out.cumulative_[le] = below;
  }
  return out;
}

std::optional<Quantile> ClassicHistogram::quantile(double q) const {
  if (!(count() > 0) || std::isinf(count())) return std::nullopt;
  const double rank = q * count();
  double low = 0;
  double below = 0;
  for (const auto& [le, cumulative] : cumulative_) {
    if (std::isinf(le)) break;
    if (cumulative >= rank && cumulative > below) {
      if (low == 0) return Quantile{le, true};
      return Quantile{low + (le - low) * (rank - below) / (cumulative - below), false};
    }
    low = le;
    below = cumulative;
  }
  return Quantile{low, false};
}

}  // namespace manometer::cli
