#pragma once

#include <cstdint>
#include <iterator>
#include <numeric>

#include "agent/probes/request_probe.h"
#include "bpf/request.h"

namespace manometer::test {

/// All that the programs counted for one target.
struct Totals {
  request_target target{};
  uint64_t stages[REQUEST_STAGES]{};
  uint64_t durations = 0;

  uint64_t unmatched(request_unmatched reason) const { return target.unmatched[reason]; }
  /// Requests that arrived and have come to an end. Of those counted for other reasons no arrival was seen.
  uint64_t ended() const {
    return durations + unmatched(REQUEST_CLIENT_RESET) + unmatched(REQUEST_SERVER_CLOSED) +
           unmatched(REQUEST_TIMED_OUT) + unmatched(REQUEST_BAD_RESPONSE) + unmatched(REQUEST_PIPELINE_FULL);
  }
};

inline uint64_t count_of(const latency_histogram& histogram) {
  return std::accumulate(std::begin(histogram.counts), std::end(histogram.counts), uint64_t{0});
}

inline Totals totals_of(const probes::RequestProbe::Counts& counts) {
  Totals totals{counts.target, {}, 0};
  for (uint32_t i = 0; i < REQUEST_STAGES; ++i) totals.stages[i] = count_of(counts.stages[i]);
  for (const auto& series : counts.durations) totals.durations += count_of(series.histogram);
  return totals;
}

}  // namespace manometer::test
