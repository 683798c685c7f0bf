// Everything that happens to performance data after they were read: parsing, resolving, taking samples while the JVM
// changes the bytes in between, and what is made of two samples.

#include <cstdlib>
#include <fuzzer/FuzzedDataProvider.h>
#include <vector>

#include "agent/jvm/gc_totals.h"
#include "agent/jvm/live_set.h"
#include "agent/jvm/perf_sample.h"

namespace {

using namespace manometer;  // NOLINT(google-build-using-namespace): a program of its own

void expect(bool condition) {
  if (!condition) std::abort();
}

/// The region as the JVM may have changed it after it was resolved.
std::vector<std::byte> changed(FuzzedDataProvider& input, std::vector<std::byte> region) {
  for (size_t pokes = input.ConsumeIntegralInRange<size_t>(0, 8); pokes > 0 && !region.empty(); --pokes) {
    const size_t at = input.ConsumeIntegralInRange<size_t>(0, region.size() - 1);
    region[at] = static_cast<std::byte>(input.ConsumeIntegral<uint8_t>());
  }
  return region;
}

void sample_twice(const jvm::PerfLayout& layout, const std::vector<std::byte>& before,
                  const std::vector<std::byte>& after) {
  expect(layout.bytes() <= before.size());
  // Exactly as long as the agent reads it, so that the sanitizer sees a step too far.
  const std::vector<std::byte> first(before.begin(), before.begin() + static_cast<ptrdiff_t>(layout.bytes()));
  const std::vector<std::byte> second(after.begin(), after.begin() + static_cast<ptrdiff_t>(layout.bytes()));
  const jvm::PerfSample samples[] = {layout.read(first), layout.read(second)};
  jvm::GcTotals totals;
  totals.add(jvm::PerfSample{}, samples[0]);
  totals.add(samples[0], samples[1]);
  for (const auto& [key, pauses] : totals.by_cause()) expect(pauses.count > 0 && !key.second.empty());
  jvm::LiveSet live;
  for (const jvm::PerfSample& sample : samples) live.add(sample, layout.identity().collector, {});
  expect(layout.identity().vm.size() <= 64 && layout.identity().version.size() <= 64);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider input(data, size);
  const size_t changes = std::min<size_t>(size, 32);  // taken from the end
  const auto region = input.ConsumeBytes<std::byte>(size - changes);
  const auto later = changed(input, region);
  const auto layout = jvm::PerfLayout::resolve(region);
  if (layout && *layout) sample_twice(**layout, region, later);
  return 0;
}
