#pragma once

#include <span>
#include <vector>

#include "agent/jvm/pressure.h"

namespace manometer::jvm {

/// What assess() needs of the past of one JVM, in some kilobytes however often it is sampled.
class PressureHistory {
 public:
  explicit PressureHistory(const PressureOptions& options = {})
      : window_(options.window), leak_part_(options.leak_window / kLeakParts) {}

  /// After a gap the history begins anew: what happened meanwhile is not known to be of this window.
  void add(const PressureSample& sample);

  std::span<const PressureSample> samples() const { return samples_; }
  /// Fewer than kLeakParts until the leak window is full.
  std::span<const LivePart> live() const;

 private:
  void add_live(TimePoint at, uint64_t bytes);

  TimePoint::duration window_;
  TimePoint::duration leak_part_;
  std::vector<PressureSample> samples_;
  std::vector<LivePart> live_;  // the last has not ended yet
};

}  // namespace manometer::jvm
