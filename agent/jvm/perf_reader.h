#pragma once

#include <optional>
#include <variant>

#include "agent/base/types.h"
#include "agent/jvm/gc_threads.h"
#include "agent/jvm/memory_pools.h"
#include "agent/jvm/perf_layout.h"
#include "agent/jvm/perf_region.h"
#include "agent/jvm/perf_sample.h"

namespace manometer::jvm {

/// Takes samples of one JVM. All it does can hang: for the blocking pool only.
class PerfReader {
 public:
  using Reading = std::variant<PerfSample, Gone, Refusal>;

  explicit PerfReader(node::Process process) : process_(std::move(process)) {}

  /// Looks for the data first, until it has found them. Refusal{kStarting} until the JVM has made its entries.
  /// pools: what the kernel saw of the JVM; it is taken for what the data do not tell, or if there are none.
  Reading read(TimePoint now, const std::optional<PoolReading>& pools = {});

  const node::Process& process() const { return process_; }
  /// kNone until the data are found.
  Tier tier() const;
  /// nullptr before the first sample.
  const JvmIdentity* identity() const;
  /// All 0 before the first sample.
  gc_words words() const { return layout_ ? layout_->words(region_->address()) : gc_words{}; }
  /// Why the last sample does not tell the CPU time of process or GC threads, if it should.
  const std::optional<Error>& cpu_error() const { return cpu_error_; }

 private:
  std::variant<std::monostate, Gone, Refusal> open();
  Reading read_perf_data();
  Reading take(const PoolReading& pools, TimePoint now);
  void add_cycle(PerfSample& sample, const std::optional<PoolReading>& pools) const;
  Result<void> add_cpu(PerfSample& sample, TimePoint now);

  node::Process process_;
  std::optional<PerfRegion> region_;
  std::optional<PerfLayout> layout_;
  std::optional<JvmIdentity> without_data_;  // then it has none and will have none
  TimePoint looked_at_ = {};                 // when it still had a libjvm
  GcThreads gc_threads_;
  std::optional<Error> cpu_error_;
};

}  // namespace manometer::jvm
