#include "agent/jvm/perf_reader.h"

namespace manometer::jvm {
namespace {

Refusal still_starting() {
  return {Failure::kStarting, "its performance data are not complete yet"};
}

Refusal no_perf_data() {
  return {Failure::kPerfDataOff, "nothing is known any more of what its collections leave"};
}

}  // namespace

Tier PerfReader::tier() const {
  if (region_) return region_->tier();
  return without_data_ ? Tier::kUsdt : Tier::kNone;
}

const JvmIdentity* PerfReader::identity() const {
  if (layout_) return &layout_->identity();
  return without_data_ ? &*without_data_ : nullptr;
}

std::variant<std::monostate, Gone, Refusal> PerfReader::open() {
  const auto maps = process_.maps();
  if (!maps) return to_refusal(maps.error());
  // Without libjvm, the process has become another program.
  if (!*maps || find_libjvm(**maps) == nullptr) return Gone{};
  auto opened = PerfRegion::open(process_, **maps);
  if (std::holds_alternative<Gone>(opened)) return Gone{};
  if (auto* refused = std::get_if<Refusal>(&opened)) return std::move(*refused);
  region_ = std::get<PerfRegion>(std::move(opened));
  return {};
}

PerfReader::Reading PerfReader::read(TimePoint now, const std::optional<PoolReading>& pools) {
  Reading reading = without_data_ ? no_perf_data() : read_perf_data();
  const auto* refusal = std::get_if<Refusal>(&reading);
  if (refusal != nullptr && refusal->failure == Failure::kPerfDataOff && pools) reading = take(*pools, now);
  if (auto* sample = std::get_if<PerfSample>(&reading)) {
    add_cycle(*sample, pools);
    cpu_error_.reset();
    if (auto added = add_cpu(*sample, now); !added) cpu_error_ = std::move(added).error();
  }
  return reading;
}

void PerfReader::add_cycle(PerfSample& sample, const std::optional<PoolReading>& pools) const {
  if (pools && pools->collector == identity()->collector) sample.cycle = pools->sample.cycle;
}

Result<void> PerfReader::add_cpu(PerfSample& sample, TimePoint now) {
  const auto stat = process_.stat();
  if (!stat) return stat.error();
  if (!*stat) return {};  // the next read tells that it is gone
  sample.process_cpu_ns = (*stat)->cpu_ns();
  if (sample.gc_cpu) return {};
  const auto ns = gc_threads_.cpu_ns(process_, **stat, identity()->collector, now);
  if (!ns) return ns.error();
  if (*ns) sample.gc_cpu = GcCpu{**ns, "threads"};
  return {};
}

PerfReader::Reading PerfReader::take(const PoolReading& pools, TimePoint now) {
  // A JVM has hundreds of mappings.
  constexpr std::chrono::seconds kLookAgain{10};
  const auto stat = process_.stat();
  if (!stat) return to_refusal(stat.error());
  if (!*stat || (*stat)->is_dead()) return Gone{};
  if (!without_data_ || now - looked_at_ >= kLookAgain) {
    // Nothing else tells that it has become another program, if the kernel's word of it was lost.
    const auto maps = process_.maps();
    if (!maps) return to_refusal(maps.error());
    if (!*maps || find_libjvm(**maps) == nullptr) return Gone{};
    looked_at_ = now;
  }
  // It has collected, so it has made long ago what data it would have.
  without_data_.emplace().collector = pools.collector;
  return pools.sample;
}

PerfReader::Reading PerfReader::read_perf_data() {
  if (!region_) {
    auto opened = open();
    if (std::holds_alternative<Gone>(opened)) return Gone{};
    if (auto* refused = std::get_if<Refusal>(&opened)) return std::move(*refused);
  }
  for (;;) {
    auto read = region_->read(layout_ ? layout_->bytes() : kMaxPerfBytes);
    if (std::holds_alternative<Gone>(read)) return Gone{};
    if (auto* refused = std::get_if<Refusal>(&read)) return std::move(*refused);
    const Bytes region = std::get<std::vector<std::byte>>(read);
    const auto header = parse_perf_header(region);
    if (!header) return Refusal{Failure::kMalformed, header.error().message()};
    if (!header->accessible && layout_) return Refusal{Failure::kMalformed, "not accessible any more"};
    if (!header->accessible) return still_starting();
    if (layout_ && layout_->entries() == header->entries) {
      if (region.size() < layout_->bytes()) return Refusal{Failure::kMalformed, "shorter than it was"};
      return layout_->read(region);
    }
    if (layout_) {
      layout_.reset();  // there are new entries, and we have read too little to see them
      continue;
    }
    auto layout = PerfLayout::resolve(region);
    if (!layout) return Refusal{Failure::kMalformed, layout.error().message()};
    if (!*layout) return still_starting();
    layout_ = *std::move(layout);
    return layout_->read(region);
  }
}

}  // namespace manometer::jvm
