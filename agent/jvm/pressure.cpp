#include "agent/jvm/pressure.h"

#include <algorithm>

namespace manometer::jvm {
namespace {

using Samples = std::span<const PressureSample>;
using Counter = std::optional<uint64_t> PressureSample::*;
using Time = TimePoint PressureSample::*;
using Value = std::optional<double>;  // nullopt is less than any number, so std::max takes what there is

// One read that failed at either end must not take a component away.
constexpr double kCovered = 0.9;
// Of less CPU than this, what a GC takes is much of nearly nothing. A quarter of what the measured machine had.
constexpr double kLeastCpus = 0.5;
// Starts compile with whole CPUs for tens of seconds; a warm JVM with less than a hundredth.
constexpr double kWarmUpCpus = 0.1;
constexpr std::chrono::minutes kWarmUpAtMost{5};
constexpr double kLeakStep = 0.01;  // what a live set varies by from one collection to the next
constexpr double kLeakRise = 0.05;

double seconds(TimePoint::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

double number(uint64_t value) {
  return static_cast<double>(value);
}

/// How far a counter of nanoseconds comes in a second of the window, in seconds.
Value rate(Samples samples, Counter counter, const PressureOptions& options, Time time = &PressureSample::at) {
  const PressureSample* first = nullptr;
  const PressureSample* last = nullptr;
  for (const PressureSample& sample : samples) {
    if (!(sample.*counter)) continue;
    if (last != nullptr && sample.*counter < last->*counter) return std::nullopt;
    if (first == nullptr) first = &sample;
    last = &sample;
  }
  if (first == nullptr) return std::nullopt;
  const double span = seconds(last->*time - first->*time);
  if (span <= 0 || span < kCovered * seconds(options.window)) return std::nullopt;
  constexpr double kNanosecondsPerSecond = 1e9;
  return number(*(last->*counter) - *(first->*counter)) / kNanosecondsPerSecond / span;
}

Value between(Value value, Knees knees) {
  if (!value) return value;
  return std::clamp((*value - knees.low) / (knees.high - knees.low), 0.0, 1.0);
}

bool warms_up(Samples samples, const PressureOptions& options) {
  const auto& age = samples.back().age;
  return age && *age < kWarmUpAtMost && rate(samples, &PressureSample::jit_ns, options) > kWarmUpCpus;
}

Value gc(Samples samples, const PressureOptions& options) {
  const Value stopped = rate(samples, &PressureSample::gc_stop_ns, options);
  const Value gc_cpus = rate(samples, &PressureSample::gc_cpu_ns, options);
  const Value cpus = rate(samples, &PressureSample::process_cpu_ns, options);
  Value of_cpu;
  if (gc_cpus && cpus) of_cpu = *gc_cpus / std::max(*cpus, kLeastCpus);
  if (samples.back().concurrent && !of_cpu) return std::nullopt;
  return std::max(stopped, of_cpu);
}

Value stall(Samples samples, const PressureOptions& options) {
  return std::max(rate(samples, &PressureSample::stall_ns, options),
                  rate(samples, &PressureSample::emergency_ns, options));
}

Value memory_wait(Samples samples, const PressureOptions& options) {
  const Value waited = rate(samples, &PressureSample::memory_wait_ns, options, &PressureSample::memory_at);
  return waited ? waited : rate(samples, &PressureSample::reclaim_ns, options, &PressureSample::memory_at);
}

/// What the container uses beside the heap.
Value other_bytes(const PressureSample& sample) {
  if (!sample.unreclaimable_bytes || !sample.heap_committed_bytes) return std::nullopt;
  return std::max(0.0, number(*sample.unreclaimable_bytes) - number(*sample.heap_committed_bytes));
}

Value live_max(const PressureSample& sample) {
  if (!sample.live_max_bytes) return std::nullopt;
  const double in_heap = number(*sample.live_max_bytes);
  const Value other = other_bytes(sample);
  if (!sample.limit_bytes || !other) return in_heap;
  return std::min(in_heap, number(*sample.limit_bytes) - *other);
}

Value live_share(const PressureSample& sample) {
  const Value most = live_max(sample);
  if (!sample.live_bytes || !most) return std::nullopt;
  return number(*sample.live_bytes) / std::max(*most, 1.0);
}

Value of_limit(const PressureSample& sample, Value bytes) {
  if (!bytes || !sample.limit_bytes) return std::nullopt;
  return *bytes / std::max(number(*sample.limit_bytes), 1.0);
}

Value overcommit(const PressureSample& sample) {
  Value most = other_bytes(sample);
  if (!most || !sample.heap_max_bytes) return std::nullopt;
  *most += number(*sample.heap_max_bytes);
  return of_limit(sample, most);
}

Value unreclaimable_share(const PressureSample& sample) {
  if (!sample.unreclaimable_bytes) return std::nullopt;
  return of_limit(sample, number(*sample.unreclaimable_bytes));
}

double slope(std::span<const LivePart> parts) {
  const auto count = static_cast<double>(parts.size());
  double mean_time = 0;
  double mean_bytes = 0;
  for (const LivePart& part : parts) {
    mean_time += seconds(part.from - parts.front().from) / count;
    mean_bytes += number(part.lowest_bytes) / count;
  }
  double covariance = 0;
  double variance = 0;
  for (const LivePart& part : parts) {
    const double time = seconds(part.from - parts.front().from) - mean_time;
    covariance += time * (number(part.lowest_bytes) - mean_bytes);
    variance += time * time;
  }
  return variance > 0 ? covariance / variance : 0;
}

bool looks_like_leak(std::span<const LivePart> parts, double most) {
  size_t rises = 0;
  for (size_t i = 1; i < parts.size(); ++i) {
    const double step = number(parts[i].lowest_bytes) - number(parts[i - 1].lowest_bytes);
    if (step < -kLeakStep * most) return false;
    if (step > kLeakStep * most) ++rises;
  }
  const double rise = number(parts.back().lowest_bytes) - number(parts.front().lowest_bytes);
  return rises > (parts.size() - 1) / 2 && rise >= kLeakRise * most;
}

void assess_live_set(std::span<const LivePart> live, Value most, Pressure& pressure) {
  if (live.size() < kLeakParts) return;
  pressure.live_growth_bytes_per_second = slope(live);
  if (most) pressure.leak_suspected = looks_like_leak(live, std::max(*most, 1.0));
}

void assess_components(Samples samples, const PressureOptions& options, Pressure& pressure) {
  const PressureSample& now = samples.back();
  pressure.gc = between(gc(samples, options), options.gc);
  pressure.stall = between(stall(samples, options), options.stall);
  pressure.live = between(live_share(now), options.live);
  pressure.psi = between(memory_wait(samples, options), options.psi);
  pressure.oom =
      std::max(between(unreclaimable_share(now), options.oom), between(pressure.overcommit, options.overcommit));
  const Value load = std::max({pressure.gc, pressure.stall, pressure.psi});
  pressure.index = std::max({load, pressure.live, pressure.oom});
  // Without its largest part it would look low when it is not, and replicas would be taken away.
  if (pressure.gc) pressure.load = load;
}

}  // namespace

Pressure assess(Samples samples, std::span<const LivePart> live, const PressureOptions& options) {
  Pressure pressure;
  if (samples.empty()) return pressure;
  const PressureSample& now = samples.back();
  pressure.overcommit = overcommit(now);
  assess_live_set(live, live_max(now), pressure);
  const bool full = now.at - samples.front().at >= options.window;
  if (full && !warms_up(samples, options)) assess_components(samples, options, pressure);
  return pressure;
}

}  // namespace manometer::jvm
