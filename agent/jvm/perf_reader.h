#pragma once

#include <optional>
#include <variant>

#include "agent/jvm/perf_region.h"
#include "agent/jvm/perf_sample.h"

namespace manometer::jvm {

/// Takes samples of one JVM. All it does can hang: for the blocking pool only.
class PerfReader {
 public:
  using Reading = std::variant<PerfSample, Gone, Refusal>;

  explicit PerfReader(PerfRegion region) : region_(std::move(region)) {}

  /// Refusal{kStarting} until the JVM has made its entries.
  Reading read();

  Tier tier() const { return region_.tier(); }
  /// nullptr before the first sample.
  const JvmIdentity* identity() const { return layout_ ? &layout_->identity() : nullptr; }

 private:
  PerfRegion region_;
  std::optional<PerfLayout> layout_;
};

}  // namespace manometer::jvm
