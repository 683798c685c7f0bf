#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

#include "agent/base/types.h"
#include "agent/jvm/perf_sample.h"

namespace manometer::jvm {

/// What is alive after collections, from consecutive samples of the counters. Pure.
///
/// Serial, Parallel, CMS, G1: the old generation's use right after it was last collected, seen by a full collection
/// having ended or by its use having fallen ("collection"). G1 does not collect it at all after a concurrent cycle that
/// found less than a twentieth of the heap to free there (G1HeapWastePercent), as in a leak: seen by its use not having
/// fallen in the collections after. ZGC, Shenandoah: the least that the last three cycles seen left, of those of the
/// last five minutes ("collection"): what was allocated during a cycle is in it. Where ZGC has generations, it is the
/// old one's, and the cycles are the major ones. Their counters are not taken after a collection; where nothing else
/// tells, it is the lowest use of the last five minutes, or of as many of ZGC's cycles as make sure that one is whole
/// if that is less: not below what was alive all that time, but a live set that grows is seen as much later
/// ("lowest_used").
class LiveSet {
 public:
  static constexpr std::chrono::minutes kWindow{5};

  void add(const PerfSample& sample, std::string_view collector, TimePoint now);

  /// nullopt: no old collection seen yet.
  std::optional<uint64_t> bytes() const;
  /// How it was found; exported as the label `source`.
  std::string_view source() const { return tells_collections_ || !cycles_.empty() ? "collection" : "lowest_used"; }

 private:
  /// The lowest use within one part of the window.
  struct Lowest {
    TimePoint from;
    uint64_t pauses;  // of ZGC's cycles before it
    uint64_t bytes;
  };

  /// What a cycle left.
  struct Left {
    TimePoint at;
    uint64_t bytes;
  };

  void note_cycle(const CycleSample& cycle, TimePoint now);
  bool cycle_found_nothing(const PerfSample& sample, bool collected);
  void note_collection(const PerfSample& sample, uint64_t used);
  void note_lowest(uint64_t used, uint64_t pauses, TimePoint now);

  bool tells_collections_ = true;
  std::optional<uint64_t> last_used_;
  uint64_t last_full_ = 0;
  std::optional<uint64_t> cycle_pauses_;    // those that are accounted for
  std::optional<uint64_t> young_at_cycle_;  // collections when a cycle was seen of which nothing was freed yet
  std::optional<uint64_t> after_collection_;
  std::deque<Lowest> lowest_;  // oldest first
  uint64_t cycles_ended_ = 0;
  std::deque<Left> cycles_;  // oldest first
};

}  // namespace manometer::jvm
