#include "agent/jvm/live_set.h"

#include <algorithm>
#include <utility>

namespace manometer::jvm {
namespace {

constexpr std::chrono::seconds kPart{10};
// A cycle of ZGC has three, with generations five: there is a whole one among so many, whenever they are counted.
constexpr uint64_t kPausesOfCycles = 10;

/// When the last full collection ended, on the JVM's own clock; 0 if there was none, or it cannot be told.
uint64_t last_full_collection(const PerfSample& sample) {
  uint64_t end = 0;
  bool cms_phases_apart = false;
  for (const CollectorSample& collector : sample.collectors) {
    if (collector.name.full) end = std::max(end, collector.last_end_ns);
    cms_phases_apart |= collector.name.counter == kCmsPhases;
  }
  return is_cms_phase(sample.last_cause) && !cms_phases_apart ? 0 : end;
}

uint64_t runs_of(const PerfSample& sample, std::string_view bean) {
  const auto found =
      std::ranges::find(sample.collectors, bean, [](const CollectorSample& one) { return one.name.bean; });
  return found == sample.collectors.end() ? 0 : found->runs;
}

bool was_last(uint64_t full_collection, const PerfSample& sample) {
  return full_collection > 0 && std::ranges::all_of(sample.collectors, [&](const CollectorSample& collector) {
           return collector.last_end_ns <= full_collection;
         });
}

}  // namespace

void LiveSet::add(const PerfSample& sample, std::string_view collector, TimePoint now) {
  tells_collections_ = !collects_concurrently(collector);
  if (sample.generations.empty() || !sample.generations.back().used_bytes || collector == "Epsilon") return;
  const uint64_t used = *sample.generations.back().used_bytes;
  if (tells_collections_) {
    note_collection(sample, used);
  } else if (sample.cycle) {
    note_cycle(*sample.cycle, now);
  } else {
    cycles_.clear();
    note_lowest(used, std::max(runs_of(sample, kZgcPauses), runs_of(sample, kZgcMajorPauses)), now);
  }
}

void LiveSet::note_cycle(const CycleSample& cycle, TimePoint now) {
  constexpr size_t kCycles = 3;
  if (cycle.ended != std::exchange(cycles_ended_, cycle.ended)) cycles_.push_back({now, cycle.used_bytes});
  while (cycles_.size() > kCycles || (cycles_.size() > 1 && now - cycles_.front().at > kWindow)) cycles_.pop_front();
}

bool LiveSet::cycle_found_nothing(const PerfSample& sample, bool collected) {
  // One may still be in the cycle, one prepares, then old regions are collected with the young ones.
  constexpr uint64_t kCollectionsUntilFreed = 4;
  const uint64_t pauses = runs_of(sample, kG1Cycle);
  const uint64_t young = runs_of(sample, kG1Young);
  if (!cycle_pauses_) cycle_pauses_ = pauses;
  if (collected) {
    // Perhaps in the first pause of a cycle, which frees what is wholly garbage: the second is no other cycle.
    cycle_pauses_ = pauses + 1;
    young_at_cycle_.reset();
    return false;
  }
  // While nothing is freed one cycle follows the other: it is the first that counts.
  if (pauses > *cycle_pauses_ && !young_at_cycle_) young_at_cycle_ = young;
  cycle_pauses_ = std::max(pauses, *cycle_pauses_);
  if (!young_at_cycle_ || young < *young_at_cycle_ + kCollectionsUntilFreed) return false;
  young_at_cycle_.reset();
  return true;
}

void LiveSet::note_collection(const PerfSample& sample, uint64_t used) {
  const uint64_t full = last_full_collection(sample);
  const bool first = !last_used_;
  const bool collected = first ? was_last(full, sample) : full > last_full_ || used < *last_used_;
  const bool found_nothing = cycle_found_nothing(sample, collected);
  if (collected || found_nothing) after_collection_ = used;
  last_full_ = std::max(last_full_, full);
  last_used_ = used;
}

void LiveSet::note_lowest(uint64_t used, uint64_t pauses, TimePoint now) {
  const auto cycled_since_first = [&] { return lowest_.size() > 1 && pauses >= lowest_[1].pauses + kPausesOfCycles; };
  while (!lowest_.empty() && (now - lowest_.front().from > kWindow || cycled_since_first())) lowest_.pop_front();
  if (lowest_.empty() || now - lowest_.back().from > kPart) lowest_.push_back({now, pauses, used});
  lowest_.back().bytes = std::min(lowest_.back().bytes, used);
}

std::optional<uint64_t> LiveSet::bytes() const {
  if (tells_collections_) return after_collection_;
  if (!cycles_.empty()) return std::ranges::min(cycles_, {}, &Left::bytes).bytes;
  if (lowest_.empty()) return std::nullopt;
  return std::ranges::min(lowest_, {}, &Lowest::bytes).bytes;
}

}  // namespace manometer::jvm
