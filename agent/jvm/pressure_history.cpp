#include "agent/jvm/pressure_history.h"

#include <algorithm>
#include <utility>

namespace manometer::jvm {
namespace {

// Closer ones would add nothing: of counters only the ends of the window count, of the rest the last value.
constexpr int kMostSamples = 30;

}  // namespace

void PressureHistory::add(PressureSample sample) {
  add_untold_heap(sample);
  if (sample.live_bytes) add_live(sample.at, *sample.live_bytes);
  const size_t count = samples_.size();
  if (count > 1 && samples_[count - 1].at - samples_[count - 2].at < window_ / kMostSamples) samples_.pop_back();
  samples_.push_back(sample);
  const auto within = [&](const PressureSample& each) { return each.at > sample.at - window_; };
  const auto first_within = std::ranges::find_if(samples_, within);
  if (first_within - samples_.begin() > 1) samples_.erase(samples_.begin(), first_within - 1);
  if (sample.at - samples_.front().at > window_ * 3 / 2) samples_.erase(samples_.begin());
}

void PressureHistory::add_untold_heap(PressureSample& sample) {
  if (!sample.heap_told || !sample.unreclaimable_bytes || !sample.heap_committed_bytes) return;
  uint64_t& heap = *sample.heap_committed_bytes;
  const uint64_t all = *sample.unreclaimable_bytes;
  if (std::exchange(heap_told_, sample.heap_told) != sample.heap_told) other_bytes_ = all - std::min(all, heap);
  const uint64_t grown = std::min(all - std::min(all, other_bytes_), sample.heap_max_bytes.value_or(heap));
  heap = std::max(heap, grown);
}

void PressureHistory::add_live(TimePoint at, uint64_t bytes) {
  if (!live_.empty() && at - live_.back().from >= 2 * leak_part_) live_.clear();
  if (live_.empty() || at - live_.back().from >= leak_part_) live_.push_back({at, bytes});
  live_.back().lowest_bytes = std::min(live_.back().lowest_bytes, bytes);
  if (live_.size() > kLeakParts + 1) live_.erase(live_.begin());
}

std::span<const LivePart> PressureHistory::live() const {
  return std::span(live_).first(live_.empty() ? 0 : live_.size() - 1);
}

}  // namespace manometer::jvm
