#include "agent/jvm/gc_totals.h"

#include <algorithm>
#include <vector>

namespace manometer::jvm {
namespace {

/// What one collector did between two samples.
struct Run {
  CollectorName name;
  uint64_t pauses = 0;   // begun
  uint64_t time_ns = 0;  // of those that ended
  uint64_t seen_ns = 0;  // when the last of them began or ended
};

/// How far a counter came; 0 if it went backwards, which only a broken or hostile JVM makes it do.
uint64_t advance(uint64_t before, uint64_t after) {
  return after > before ? after - before : 0;
}

uint64_t advance(std::optional<uint64_t> before, std::optional<uint64_t> after) {
  return after ? advance(before.value_or(0), *after) : 0;
}

std::vector<Run> runs_between(const PerfSample& before, const PerfSample& after) {
  std::vector<Run> runs;
  for (const CollectorSample& now : after.collectors) {
    const auto same = [&](const CollectorSample& then) { return then.name.counter == now.name.counter; };
    const auto found = std::ranges::find_if(before.collectors, same);
    const CollectorSample then = found == before.collectors.end() ? CollectorSample{} : *found;
    const uint64_t count = advance(then.runs, now.runs);
    const uint64_t time_ns = advance(then.time_ns, now.time_ns);
    if (count == 0 && time_ns == 0) continue;
    const uint64_t pauses = now.name.counts_phases ? advance(before.safepoints, after.safepoints) : count;
    runs.push_back({now.name, pauses, time_ns, std::max(now.last_start_ns, now.last_end_ns)});
  }
  return runs;
}

/// How long the threads stood still; by the collectors' own time where the JVM does not count safepoints.
uint64_t stopped_between(const PerfSample& before, const PerfSample& after, const std::vector<Run>& runs) {
  if (after.safepoint_ns) return advance(before.safepoint_ns, after.safepoint_ns);
  uint64_t sum = 0;
  for (const Run& run : runs) sum += run.time_ns;
  return sum;
}

/// The part of total that weight is of all; an even share where there is no weight at all.
uint64_t share(uint64_t total, double weight, double all, size_t shares) {
  if (all <= 0) return total / shares;
  const double ratio = weight / all;
  return ratio < 1 ? static_cast<uint64_t>(static_cast<double>(total) * ratio) : total;
}

/// What of a run has the cause that the counters tell.
GcTotals::Pauses of_known_cause(const Run& run, uint64_t ns, bool is_last, bool same_cause) {
  if (!is_last) return {};
  if (same_cause) return {run.pauses, ns};
  // Without a pause of its own, it is the end of one that was counted before, under that cause.
  if (run.pauses == 0) return {};
  return {1, ns / run.pauses};
}

}  // namespace

void GcTotals::add(const PerfSample& before, const PerfSample& after) {
  const std::vector<Run> runs = runs_between(before, after);
  if (runs.empty()) {
    add_stop(before, after);
    return;
  }
  double all_time = 0;  // a sum of hostile numbers must not wrap
  for (const Run& run : runs) all_time += static_cast<double>(run.time_ns);
  const uint64_t stopped = stopped_between(before, after, runs);
  const bool same_cause = before.last_cause == after.last_cause;
  const auto last = std::ranges::max_element(runs, {}, &Run::seen_ns);
  for (const Run& run : runs) {
    const uint64_t ns = share(stopped, static_cast<double>(run.time_ns), all_time, runs.size());
    const Pauses known = of_known_cause(run, ns, &run == &*last, same_cause);
    add({run.name.bean, after.last_cause}, known);
    add({run.name.bean, kUnknownCause}, {run.pauses - known.count, ns - known.ns});
  }
  latest_ = Key(last->name.bean, after.last_cause);
}

void GcTotals::add_stop(const PerfSample& before, const PerfSample& after) {
  if (advance(before.safepoints, after.safepoints) > 0) latest_.reset();
  if (latest_) add(*latest_, {0, advance(before.safepoint_ns, after.safepoint_ns)});
}

void GcTotals::add(const Key& key, const Pauses& more) {
  if (more.count == 0 && more.ns == 0) return;
  Pauses& pauses = by_cause_[key];
  pauses.count += more.count;
  pauses.ns += more.ns;
}

GcTotals::Pauses GcTotals::total() const {
  Pauses total;
  for (const auto& [key, pauses] : by_cause_) {
    total.count += pauses.count;
    total.ns += pauses.ns;
  }
  return total;
}

}  // namespace manometer::jvm
