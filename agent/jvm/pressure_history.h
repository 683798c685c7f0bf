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

  /// After a gap the history begins anew: what happened meanwhile is not known to be of this window. What the
  /// container's memory grows by after the heap was last told is added to the heap, as far as that may grow.
  void add(PressureSample sample);

  /// Of the last sample that told the container's memory too.
  std::optional<uint64_t> heap_told() const { return heap_told_; }
  std::span<const PressureSample> samples() const { return samples_; }
  /// Fewer than kLeakParts until the leak window is full.
  std::span<const LivePart> live() const;

 private:
  void add_untold_heap(PressureSample& sample);
  void add_live(TimePoint at, uint64_t bytes);

  TimePoint::duration window_;
  TimePoint::duration leak_part_;
  std::vector<PressureSample> samples_;
  std::optional<uint64_t> heap_told_;
  uint64_t other_bytes_ = 0;    // beside the heap, when it was told
  std::vector<LivePart> live_;  // the last has not ended yet
};

}  // namespace manometer::jvm
