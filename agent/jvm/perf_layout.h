#pragma once
// From the performance data to what we export: names are resolved once for a JVM, then only values are read.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/jvm/collector_names.h"
#include "agent/jvm/hsperf.h"
#include "agent/jvm/perf_sample.h"
#include "bpf/gc.h"

namespace manometer::jvm {

/// When HotSpot brings the used bytes of the heap up to date; it depends on collector and version.
enum class UsedUpdate {
  kContinuously,  // G1: with every region it hands out
  kPeriodically,  // every 50 ms (Serial, Parallel and CMS before JDK 25) or 100 ms (Shenandoah)
  kAtGc,          // ZGC; Serial and Parallel from JDK 25 on: what was left by the last collection
};
std::string_view to_string(UsedUpdate update);

/// What does not change while the JVM lives. Texts are cut and printable; empty if unknown.
struct JvmIdentity {
  std::string vm;       // "OpenJDK 64-Bit Server VM"
  std::string version;  // "17.0.15+6"
  std::string_view collector;
  std::vector<CollectorName> collectors;  // at most GC_COLLECTORS; ZGC of JDK 11 and Epsilon show none
  UsedUpdate used_update = UsedUpdate::kAtGc;
};

/// Where the values of one JVM are.
class PerfLayout {
 public:
  /// region: all of it, accessible. nullopt: it is not complete yet; from JDK 17 on, the last entries come milliseconds
  /// after it has become accessible.
  static Result<std::optional<PerfLayout>> resolve(Bytes region);

  const JvmIdentity& identity() const { return identity_; }
  /// Entries there were; resolve again when there are more.
  uint32_t entries() const { return entries_; }
  /// read() needs this much from the region's start.
  size_t bytes() const { return bytes_; }

  /// Where the JVM keeps count of its collections, in the order of identity().collectors. address: of the region, in
  /// the JVM's own memory.
  gc_words words(uint64_t address) const;

  /// region: at least bytes() of it.
  PerfSample read(Bytes region) const;

 private:
  /// Where a long is; nullopt if the JVM has no such counter.
  using Field = std::optional<uint32_t>;

  struct Generation {
    std::vector<Field> used;  // of its spaces
    Field committed;
    Field max;
  };
  struct Collector {
    CollectorName name;
    Field runs;
    Field time;
    Field last_start;
    Field last_end;
  };

  Field number(const PerfCatalog& catalog, const std::string& name);
  std::string text(const PerfCatalog& catalog, Bytes region, std::string_view name) const;
  Generation generation(const PerfCatalog& catalog, const std::string& prefix);
  void resolve_collectors(const PerfCatalog& catalog, Bytes region);
  std::optional<PerfEntry> string_entry(const PerfCatalog& catalog, std::string_view name);
  void resolve_generations(const PerfCatalog& catalog, Bytes region);
  void resolve_identity(const PerfCatalog& catalog, Bytes region);
  std::string_view collector_family(const PerfCatalog& catalog, Bytes region) const;
  UsedUpdate used_update(const PerfCatalog& catalog) const;

  std::optional<uint64_t> value(Bytes region, Field field) const;
  std::optional<uint64_t> nanoseconds(Bytes region, Field ticks) const;
  GenerationSample read_generation(Bytes region, const Generation& generation) const;
  std::string_view read_cause(Bytes region) const;
  void read_safepoints(Bytes region, PerfSample& sample) const;

  uint32_t entries_ = 0;
  size_t bytes_ = kPerfHeaderBytes;
  JvmIdentity identity_;
  double ns_per_tick_ = 1;
  bool stop_includes_sync_ = false;
  bool max_is_of_old_ = false;  // each generation may take all of the heap
  std::vector<Generation> generations_;
  std::vector<Collector> collectors_;
  Generation metaspace_;
  std::optional<PerfEntry> cause_, last_cause_;
  Field safepoints_, safepoint_time_, safepoint_sync_time_;
  Field threads_, daemon_threads_, started_threads_;
  Field loaded_, unloaded_, shared_loaded_, shared_unloaded_;
  Field jit_time_;
  Field gc_cpu_;
};

}  // namespace manometer::jvm
