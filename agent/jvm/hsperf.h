#pragma once
// HotSpot's performance data region (jvmstat, version 2.0; the same from JDK 5 to 25): what is in it and where. Its
// bytes are written by the container and hostile: everything is checked, nothing is trusted twice. Source of the
// layout: share/runtime/perfMemory.hpp and perfData.hpp of OpenJDK.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace manometer::jvm {

using Bytes = std::span<const std::byte>;

inline constexpr size_t kPerfHeaderBytes = 32;
/// Largest region we look at. HotSpot's default is 32 KiB, and -XX:PerfDataMemorySize rarely set.
inline constexpr size_t kMaxPerfBytes = 1U << 20U;

/// The first 32 bytes.
struct PerfHeader {
  bool accessible = false;  // false until the JVM has made all its entries
  uint32_t used = 0;        // bytes with entries, the header's included
  uint32_t first_entry = 0;
  uint32_t entries = 0;  // grows while the JVM runs
};

/// An Error if it is not a region of version 2 in this machine's byte order. One that is blank is not accessible yet.
Result<PerfHeader> parse_perf_header(Bytes region);

/// Where one value is. Offsets do not change for the life of the JVM.
struct PerfEntry {
  enum class Type { kLong, kString };
  Type type = Type::kLong;
  uint32_t offset = 0;  // from the start of the region
  uint32_t length = 0;  // 8 for a long; a string's room, its NUL included
};

/// Names in the region and where their values are. Keys are owned: the region changes under us.
using PerfCatalog = std::map<std::string, PerfEntry, std::less<>>;

/// An Error at the first entry that is malformed: what follows it cannot be found.
Result<PerfCatalog> parse_perf_catalog(Bytes region);

/// The value of a long or string entry; region must be at least as long as the one that was parsed.
int64_t read_long(Bytes region, uint32_t offset);
/// Up to the first NUL or the end of its room.
std::string read_string(Bytes region, const PerfEntry& entry);

}  // namespace manometer::jvm
