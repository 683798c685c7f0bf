#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "agent/base/result.h"
#include "bpf/histogram.h"

namespace manometer::bpf {

/// Tells a program that counts durations its slots (bpf/histogram.bpf.h), before it is loaded. bounds_ns: inclusive
/// upper bounds, ascending; an Error if there are more than fit.
inline Result<void> set_slot_bounds(std::span<__u64, HISTOGRAM_BOUNDS> slot_bounds,
                                    const std::vector<uint64_t>& bounds_ns) {
  if (bounds_ns.size() >= HISTOGRAM_SLOTS) return Error("too many bounds of buckets");
  std::ranges::fill(slot_bounds, std::numeric_limits<__u64>::max());
  std::ranges::copy(bounds_ns, slot_bounds.begin());
  return {};
}

}  // namespace manometer::bpf
