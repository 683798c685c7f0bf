#include "agent/metrics/buckets.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/format.h>

namespace manometer::metrics {
namespace {

constexpr double kNanosecondsPerSecond = 1e9;

/// The most nanoseconds that are, in seconds, at or below the bound. Not floor(): 0.008386 * 1e9 is short of 8386000.
uint64_t whole_ns(double seconds) {
  const double nearest = std::round(seconds * kNanosecondsPerSecond);
  const bool above = nearest / kNanosecondsPerSecond > seconds;
  return static_cast<uint64_t>(nearest) - (above ? 1 : 0);
}

/// What is wrong with the bound at index i; empty if nothing is.
std::string fault(const std::vector<double>& bounds, size_t i) {
  const bool in_range = bounds[i] >= Buckets::kLeastSeconds && bounds[i] <= Buckets::kMostSeconds;
  if (!in_range) return fmt::format("{} is out of range", bounds[i]);
  if (i > 0 && bounds[i] <= bounds[i - 1]) return fmt::format("{} is not above {}", bounds[i], bounds[i - 1]);
  if (i >= Buckets::kMaxClassic) return fmt::format("{} is one too many", bounds[i]);
  return "";
}

Error refused(const std::string& why) {
  return Error(fmt::format("{}: 1 to {} bounds in seconds, ascending, from {} to {}", why, Buckets::kMaxClassic,
                           Buckets::kLeastSeconds, Buckets::kMostSeconds));
}

}  // namespace

Result<Buckets> Buckets::make(std::vector<double> classic_seconds) {
  if (classic_seconds.empty()) return refused("there is no bound");
  for (size_t i = 0; i < classic_seconds.size(); ++i) {
    const std::string why = fault(classic_seconds, i);
    if (!why.empty()) return refused(why);
  }
  return Buckets(std::move(classic_seconds));
}

Buckets::Buckets(std::vector<double> classic_seconds) : classic_seconds_(std::move(classic_seconds)) {
  for (int i = kFirstNative; i <= kLastNative; ++i)
    bounds_ns_.push_back(whole_ns(std::exp2(static_cast<double>(i) / kPerOctave)));
  for (const double bound : classic_seconds_) bounds_ns_.push_back(whole_ns(bound));
  std::ranges::sort(bounds_ns_);
  const auto repeated = std::ranges::unique(bounds_ns_);
  bounds_ns_.erase(repeated.begin(), repeated.end());
}

Buckets Buckets::coarse(size_t step) const {
  Buckets out = *this;
  out.classic_seconds_.clear();
  for (size_t i = (classic_seconds_.size() - 1) % step; i < classic_seconds_.size(); i += step)
    out.classic_seconds_.push_back(classic_seconds_[i]);
  return out;
}

std::vector<uint64_t> Buckets::cumulative(std::span<const uint64_t> slots) const {
  std::vector<uint64_t> out;
  out.reserve(classic_seconds_.size() + 1);
  uint64_t count = 0;
  size_t slot = 0;
  for (const double bound : classic_seconds_) {
    const auto above = std::ranges::upper_bound(bounds_ns_, whole_ns(bound));
    const auto end = std::min(slots.size(), static_cast<size_t>(above - bounds_ns_.begin()));
    for (; slot < end; ++slot) count += slots[slot];
    out.push_back(count);
  }
  for (; slot < slots.size(); ++slot) count += slots[slot];
  out.push_back(count);
  return out;
}

double Buckets::quantile(double q, std::span<const uint64_t> slots) const {
  const uint64_t total = std::accumulate(slots.begin(), slots.end(), uint64_t{0});
  if (total == 0) return std::numeric_limits<double>::quiet_NaN();
  const double rank = std::max(1.0, std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(total)));
  uint64_t count = slots[0];
  size_t slot = 0;
  while (static_cast<double>(count) < rank && slot + 1 < slots.size()) count += slots[++slot];
  const uint64_t low = slot == 0 ? 0 : bounds_ns_[slot - 1];
  const uint64_t high = slot < bounds_ns_.size() ? bounds_ns_[slot] : low;
  return static_cast<double>(low + high) / 2 / kNanosecondsPerSecond;
}

}  // namespace manometer::metrics
