#pragma once

#include <cstddef>
#include <iosfwd>
#include <vector>

namespace manometer::test {

/// One way to break a region, and what is said about it.
struct BrokenPerfData {
  const char* name;
  std::vector<std::byte> region;
  const char* message;
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const BrokenPerfData& broken, std::ostream* out);

std::vector<BrokenPerfData> broken_perf_data();

}  // namespace manometer::test
