// Everything that happens to performance data after they were read: parsing, resolving, taking samples while the JVM
// changes the bytes in between, and what is made of two samples.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fuzzer/FuzzedDataProvider.h>
#include <vector>

#include "agent/jvm/gc_totals.h"
#include "agent/jvm/live_set.h"
#include "agent/jvm/perf_layout.h"

namespace {

using namespace manometer;  // NOLINT(google-build-using-namespace): a program of its own

constexpr size_t kMaxText = 64;

void expect(bool condition) {
  if (!condition) std::abort();
}

/// The region as the JVM may have changed it after it was resolved. The changes are taken from the region's own last
/// bytes, so that every real region is an input as it is.
std::vector<std::byte> changed(FuzzedDataProvider& input, std::vector<std::byte> region) {
  constexpr size_t kMaxChanges = 4;
  for (size_t changes = input.ConsumeIntegralInRange<size_t>(0, kMaxChanges); changes > 0; --changes) {
    const auto value = input.ConsumeIntegral<uint64_t>();
    if (region.size() < sizeof(value)) break;
    const size_t at = input.ConsumeIntegralInRange<size_t>(0, region.size() - sizeof(value));
    std::memcpy(region.data() + at, &value, sizeof(value));
  }
  return region;
}

void expect_known(const jvm::PerfSample& sample) {
  expect(!sample.generations.empty() && sample.generations.size() <= 2 && sample.collectors.size() <= 3);
  // Neither a collector nor a cause is a text of the container's.
  for (const jvm::CollectorSample& collector : sample.collectors)
    expect(jvm::find_collector(collector.name.counter)->bean == collector.name.bean);
  expect(sample.last_cause.empty() || jvm::known_cause(sample.last_cause) == sample.last_cause);
}

void expect_printable(const std::string& text) {
  expect(text.size() <= kMaxText && std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; }));
}

void sample_twice(const jvm::PerfLayout& layout, const std::vector<std::byte>& before,
                  const std::vector<std::byte>& after) {
  expect(layout.bytes() <= before.size());
  expect_printable(layout.identity().vm);
  expect_printable(layout.identity().version);
  // Exactly as long as the agent reads it, so that the sanitizer sees a step too far.
  const std::vector<std::byte> first(before.begin(), before.begin() + static_cast<ptrdiff_t>(layout.bytes()));
  const std::vector<std::byte> second(after.begin(), after.begin() + static_cast<ptrdiff_t>(layout.bytes()));
  const jvm::PerfSample samples[] = {layout.read(first), layout.read(second)};
  jvm::GcTotals totals;
  jvm::LiveSet live;
  totals.add(jvm::PerfSample{}, samples[0]);
  totals.add(samples[0], samples[1]);
  for (const jvm::PerfSample& sample : samples) {
    expect_known(sample);
    live.add(sample, layout.identity().collector, {});
  }
  for (const auto& [key, pauses] : totals.by_cause()) expect(!key.first.empty());
  const auto was_used = [&](const auto& sample) { return sample.generations.back().used_bytes == live.bytes(); };
  expect(!live.bytes() || std::ranges::any_of(samples, was_used));
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const std::vector<std::byte> region(bytes, bytes + size);
  const auto layout = jvm::PerfLayout::resolve(region);
  if (!layout || !*layout) return 0;
  FuzzedDataProvider input(data, size);
  sample_twice(**layout, region, changed(input, region));
  return 0;
}
