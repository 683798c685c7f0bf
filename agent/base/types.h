#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <sys/types.h>

namespace manometer {

using TimePoint = std::chrono::steady_clock::time_point;

/// A process for as long as it lives. The start time is part of it because pids are reused.
struct ProcessKey {
  pid_t pid = 0;
  uint64_t start_ticks = 0;  // since boot, /proc/<pid>/stat field 22

  auto operator<=>(const ProcessKey&) const = default;
};

}  // namespace manometer
