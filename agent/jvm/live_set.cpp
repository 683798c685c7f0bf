#include "agent/jvm/live_set.h"

#include <algorithm>

namespace manometer::jvm {
namespace {

constexpr std::chrono::seconds kPart{10};

struct FullCollections {
  uint64_t runs = 0;
  bool was_last = false;  // no other collection since
};

FullCollections full_collections(const PerfSample& sample) {
  FullCollections full;
  uint64_t full_end = 0;
  uint64_t other_end = 0;
  for (const CollectorSample& collector : sample.collectors) {
    uint64_t& end = collector.name.full ? full_end : other_end;
    end = std::max(end, collector.last_end_ns);
    if (collector.name.full) full.runs += collector.runs;
  }
  full.was_last = full.runs > 0 && full_end >= other_end;
  return full;
}

}  // namespace

void LiveSet::add(const PerfSample& sample, std::string_view collector, TimePoint now) {
  tells_collections_ = !collector.ends_with("ZGC") && collector != "Shenandoah";
  if (sample.generations.empty() || !sample.generations.back().used_bytes || collector == "Epsilon") return;
  const uint64_t used = *sample.generations.back().used_bytes;
  if (tells_collections_) {
    note_collection(sample, used);
  } else {
    note_lowest(used, now);
  }
}

void LiveSet::note_collection(const PerfSample& sample, uint64_t used) {
  const FullCollections full = full_collections(sample);
  const bool first = !last_used_;
  const bool collected = first ? full.was_last : full.runs > full_runs_ || used < *last_used_;
  if (collected) after_collection_ = used;
  full_runs_ = full.runs;
  last_used_ = used;
}

void LiveSet::note_lowest(uint64_t used, TimePoint now) {
  while (!lowest_.empty() && now - lowest_.front().from > kWindow) lowest_.pop_front();
  if (lowest_.empty() || now - lowest_.back().from > kPart) lowest_.push_back({now, used});
  lowest_.back().bytes = std::min(lowest_.back().bytes, used);
}

std::optional<uint64_t> LiveSet::bytes() const {
  if (tells_collections_) return after_collection_;
  if (lowest_.empty()) return std::nullopt;
  return std::ranges::min(lowest_, {}, &Lowest::bytes).bytes;
}

}  // namespace manometer::jvm
