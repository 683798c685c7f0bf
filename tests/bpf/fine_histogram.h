#pragma once

#include <cstdint>
#include <sys/types.h>
#include <vector>

#include "agent/base/result.h"
#include "tests/support/agent.h"

namespace manometer::test {

/// Where a quantile lies: above low, not above high.
struct Slot {
  double low_ns = 0;
  double high_ns = 0;

  double middle_ns() const { return (low_ns + high_ns) / 2; }
  double half_width_ns() const { return (high_ns - low_ns) / 2; }
};

/// A histogram as it is in the kernel, finer than what is exported. Slot i counts what is above bounds_ns[i - 1] and
/// not above bounds_ns[i]; one more slot counts what is above them all.
struct FineHistogram {
  std::vector<uint64_t> bounds_ns;
  std::vector<uint64_t> counts;
  uint64_t sum_ns = 0;

  uint64_t count() const;
  /// The slot of the least value that at least this share of all is not above. Throws if there is none, or it is above
  /// all bounds.
  Slot quantile(double share) const;
};

/// The durations of all requests of a process that the agent watches, whatever their method and code.
Result<FineHistogram> fine_histogram(const Agent& agent, pid_t pid);

}  // namespace manometer::test
