#include "agent/jvm/perf_layout.h"

#include <algorithm>
#include <cctype>

#include "agent/base/text.h"

namespace manometer::jvm {
namespace {

constexpr int kMaxCollectors = GC_COLLECTORS;
constexpr int kMaxSpaces = 3;  // eden and two survivors
constexpr size_t kMaxIdentityBytes = 64;
constexpr int kFirstWithSeparateSync = 13;  // before, safepointTime includes safepointSyncTime: measured on 8 and 11

/// G1 before JDK 21 adds 8 bytes to each capacity, or 24 to that of three spaces, so that none is 0. Real ones are
/// multiples of a page.
std::optional<uint64_t> without_padding(std::optional<uint64_t> capacity) {
  constexpr uint64_t kSmallestUnit = 1024;
  if (!capacity) return capacity;
  return *capacity / kSmallestUnit * kSmallestUnit;
}

std::optional<uint64_t> sum(const std::vector<GenerationSample>& generations,
                            std::optional<uint64_t> GenerationSample::*field) {
  uint64_t total = 0;
  for (const GenerationSample& generation : generations) {
    if (!(generation.*field)) return std::nullopt;
    total += *(generation.*field);
  }
  return generations.empty() ? std::nullopt : std::optional(total);
}

/// In JDK 25 the others have the counter too, and it is always 0.
bool counts_gc_cpu(std::string_view collector) {
  return collector == "G1" || collector == "Parallel";
}

/// "1.8" or "17"; 0 if unknown.
int major_version(std::string_view specification) {
  if (specification.starts_with("1.")) specification.remove_prefix(2);
  int major = 0;
  return parse_number(specification, major) ? major : 0;
}

std::string identity_text(std::string text) {
  text.resize(std::min(text.size(), kMaxIdentityBytes));
  std::ranges::replace_if(
      text, [](unsigned char c) { return std::isprint(c) == 0; }, '?');
  return text;
}

}  // namespace

std::string_view to_string(UsedUpdate update) {
  switch (update) {
    case UsedUpdate::kContinuously:
      return "continuously";
    case UsedUpdate::kPeriodically:
      return "periodically";
    case UsedUpdate::kAtGc:
      return "at_gc";
  }
  return "";
}

PerfLayout::Field PerfLayout::number(const PerfCatalog& catalog, const std::string& name) {
  const auto found = catalog.find(name);
  if (found == catalog.end() || found->second.type != PerfEntry::Type::kLong) return std::nullopt;
  bytes_ = std::max<size_t>(bytes_, found->second.offset + found->second.length);
  return found->second.offset;
}

std::string PerfLayout::text(const PerfCatalog& catalog, Bytes region, std::string_view name) const {
  const auto found = catalog.find(name);
  if (found == catalog.end() || found->second.type != PerfEntry::Type::kString) return {};
  return read_string(region, found->second);
}

Result<std::optional<PerfLayout>> PerfLayout::resolve(Bytes region) {
  const auto header = parse_perf_header(region);
  if (!header) return header.error();
  const auto catalog = parse_perf_catalog(region);
  if (!catalog) return catalog.error();
  PerfLayout layout;
  layout.entries_ = header->entries;
  const Field frequency = layout.number(*catalog, "sun.os.hrt.frequency");
  const int64_t ticks_per_second = frequency ? read_long(region, *frequency) : 0;
  if (ticks_per_second <= 0) return std::optional<PerfLayout>();
  layout.ns_per_tick_ = 1e9 / static_cast<double>(ticks_per_second);
  layout.resolve_collectors(*catalog, region);
  layout.resolve_generations(*catalog, region);
  layout.resolve_identity(*catalog, region);
  const auto field = [&](const char* name) { return layout.number(*catalog, name); };
  layout.safepoints_ = field("sun.rt.safepoints");
  layout.safepoint_time_ = field("sun.rt.safepointTime");
  layout.safepoint_sync_time_ = field("sun.rt.safepointSyncTime");
  layout.threads_ = field("java.threads.live");
  layout.daemon_threads_ = field("java.threads.daemon");
  layout.started_threads_ = field("java.threads.started");
  layout.loaded_ = field("java.cls.loadedClasses");
  layout.unloaded_ = field("java.cls.unloadedClasses");
  layout.shared_loaded_ = field("java.cls.sharedLoadedClasses");
  layout.shared_unloaded_ = field("java.cls.sharedUnloadedClasses");
  layout.jit_time_ = field("java.ci.totalTime");
  if (counts_gc_cpu(layout.identity_.collector)) layout.gc_cpu_ = field("sun.threads.total_gc_cpu_time");
  return std::optional(std::move(layout));
}

void PerfLayout::resolve_collectors(const PerfCatalog& catalog, Bytes region) {
  for (int i = 0; i < kMaxCollectors; ++i) {
    const std::string prefix = "sun.gc.collector." + std::to_string(i) + '.';
    const auto name = find_collector(text(catalog, region, prefix + "name"));
    if (!name) continue;
    collectors_.push_back({*name, number(catalog, prefix + "invocations"), number(catalog, prefix + "time"),
                           number(catalog, prefix + "lastEntryTime"), number(catalog, prefix + "lastExitTime")});
  }
  cause_ = string_entry(catalog, "sun.gc.cause");
  last_cause_ = string_entry(catalog, "sun.gc.lastCause");
}

std::optional<PerfEntry> PerfLayout::string_entry(const PerfCatalog& catalog, std::string_view name) {
  const auto found = catalog.find(name);
  if (found == catalog.end() || found->second.type != PerfEntry::Type::kString) return std::nullopt;
  bytes_ = std::max<size_t>(bytes_, found->second.offset + found->second.length);
  return found->second;
}

PerfLayout::Generation PerfLayout::generation(const PerfCatalog& catalog, const std::string& prefix) {
  Generation out{{}, number(catalog, prefix + "capacity"), number(catalog, prefix + "maxCapacity")};
  for (int space = 0; space < kMaxSpaces; ++space) {
    const Field used = number(catalog, prefix + "space." + std::to_string(space) + ".used");
    if (used) out.used.push_back(used);
  }
  return out;
}

void PerfLayout::resolve_generations(const PerfCatalog& catalog, Bytes region) {
  const std::string young = "sun.gc.generation.0.";
  Generation first = generation(catalog, young);
  // Shenandoah has a young generation without spaces.
  if (!first.used.empty()) generations_.push_back(std::move(first));
  generations_.push_back(generation(catalog, "sun.gc.generation.1."));
  // "new" and "old" share the heap; where the young one is called otherwise, each may grow to all of it.
  max_is_of_old_ = text(catalog, region, young + "name") != "new";
  metaspace_ = {{number(catalog, "sun.gc.metaspace.used")},
                number(catalog, "sun.gc.metaspace.capacity"),
                number(catalog, "sun.gc.metaspace.maxCapacity")};
}

void PerfLayout::resolve_identity(const PerfCatalog& catalog, Bytes region) {
  identity_.vm = identity_text(text(catalog, region, "java.property.java.vm.name"));
  identity_.version = identity_text(text(catalog, region, "java.property.java.vm.version"));
  const int major = major_version(text(catalog, region, "java.property.java.vm.specification.version"));
  // In JDK 8 it is HotSpot's own version, 25.<update>.
  if (major == 8) identity_.version = identity_text(text(catalog, region, "java.property.java.version"));
  stop_includes_sync_ = major < kFirstWithSeparateSync;
  identity_.collector = collector_family(catalog, region);
  for (const Collector& collector : collectors_) identity_.collectors.push_back(collector.name);
  identity_.used_update = used_update(catalog);
}

std::string_view PerfLayout::collector_family(const PerfCatalog& catalog, Bytes region) const {
  // The last one is that of the old generation: ParNew can go with MarkSweepCompact instead of CMS.
  if (!collectors_.empty()) return collectors_.back().name.family;
  const std::string heap = text(catalog, region, "sun.gc.generation.1.name");
  if (heap == "Heap") return "Epsilon";
  // ZGC of JDK 11 has no collector counters at all.
  if (heap == "old" && generations_.size() == 1) return "ZGC";
  return "";
}

UsedUpdate PerfLayout::used_update(const PerfCatalog& catalog) const {
  const std::string_view collector = identity_.collector;
  if (collector == "G1" || collector == "Epsilon") return UsedUpdate::kContinuously;
  if (collector == "Shenandoah") return UsedUpdate::kPeriodically;
  if (is_zgc(collector)) return UsedUpdate::kAtGc;
  // The sampler of the others left JDK 25 together with this counter (JDK-8241678).
  return catalog.contains("sun.os.hrt.ticks") ? UsedUpdate::kPeriodically : UsedUpdate::kAtGc;
}

gc_words PerfLayout::words(uint64_t address) const {
  gc_words words{};
  if (cause_ && last_cause_) {
    words.cause = address + cause_->offset;
    words.last_cause = address + last_cause_->offset;
  }
  for (size_t i = 0; i < collectors_.size(); ++i) {
    const Collector& collector = collectors_[i];
    // Concurrent phases can begin in a stop for something else.
    if (collector.runs && !collector.name.counts_phases) words.runs[i] = address + *collector.runs;
  }
  return words;
}

std::optional<uint64_t> PerfLayout::value(Bytes region, Field field) const {
  if (!field) return std::nullopt;
  const int64_t value = read_long(region, *field);
  return value < 0 ? std::nullopt : std::optional(static_cast<uint64_t>(value));
}

std::optional<uint64_t> PerfLayout::nanoseconds(Bytes region, Field ticks) const {
  const auto count = value(region, ticks);
  if (!count) return std::nullopt;
  if (ns_per_tick_ == 1) return count;
  const double ns = static_cast<double>(*count) * ns_per_tick_;
  constexpr double kMax = 9e18;  // 285 years, and what fits
  return ns < kMax ? std::optional(static_cast<uint64_t>(ns)) : std::nullopt;
}

GenerationSample PerfLayout::read_generation(Bytes region, const Generation& generation) const {
  GenerationSample sample{std::nullopt, without_padding(value(region, generation.committed)),
                          without_padding(value(region, generation.max))};
  for (const Field space : generation.used) {
    const auto used = value(region, space);
    if (!used) return {std::nullopt, sample.committed_bytes, sample.max_bytes};
    sample.used_bytes = sample.used_bytes.value_or(0) + *used;
  }
  return sample;
}

void PerfLayout::read_safepoints(Bytes region, PerfSample& sample) const {
  sample.safepoints = value(region, safepoints_);
  sample.safepoint_sync_ns = nanoseconds(region, safepoint_sync_time_);
  sample.safepoint_ns = nanoseconds(region, safepoint_time_);
  if (sample.safepoint_ns && sample.safepoint_sync_ns && !stop_includes_sync_)
    *sample.safepoint_ns += *sample.safepoint_sync_ns;
}

std::string_view PerfLayout::read_cause(Bytes region) const {
  // While a collection runs, lastCause is kNoCause.
  const std::string_view running = cause_ ? known_cause(read_string(region, *cause_)) : kNoCause;
  if (running != kNoCause) return running;
  return last_cause_ ? known_cause(read_string(region, *last_cause_)) : "";
}

PerfSample PerfLayout::read(Bytes region) const {
  PerfSample sample;
  for (const Generation& generation : generations_) sample.generations.push_back(read_generation(region, generation));
  sample.heap.used_bytes = sum(sample.generations, &GenerationSample::used_bytes);
  sample.heap.committed_bytes = sum(sample.generations, &GenerationSample::committed_bytes);
  sample.heap.max_bytes =
      max_is_of_old_ ? sample.generations.back().max_bytes : sum(sample.generations, &GenerationSample::max_bytes);
  for (const Collector& collector : collectors_) {
    const auto runs = value(region, collector.runs);
    const auto time = nanoseconds(region, collector.time);
    if (!runs || !time) continue;
    sample.collectors.push_back({collector.name, *runs, *time, nanoseconds(region, collector.last_start).value_or(0),
                                 nanoseconds(region, collector.last_end).value_or(0)});
  }
  sample.last_cause = read_cause(region);
  read_safepoints(region, sample);
  sample.threads = value(region, threads_);
  sample.daemon_threads = value(region, daemon_threads_);
  sample.started_threads = value(region, started_threads_);
  const uint64_t loaded = value(region, loaded_).value_or(0) + value(region, shared_loaded_).value_or(0);
  const uint64_t unloaded = value(region, unloaded_).value_or(0) + value(region, shared_unloaded_).value_or(0);
  if (loaded_ && loaded >= unloaded) sample.loaded_classes = loaded - unloaded;
  if (unloaded_) sample.unloaded_classes = unloaded;
  sample.metaspace = read_generation(region, metaspace_);
  sample.jit_ns = nanoseconds(region, jit_time_);
  if (const auto ns = value(region, gc_cpu_)) sample.gc_cpu = GcCpu{*ns, "counters"};
  return sample;
}

}  // namespace manometer::jvm
