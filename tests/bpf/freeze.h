#pragma once

#include <chrono>
#include <cstdint>
#include <sys/types.h>
#include <vector>

namespace manometer::test {

/// While all threads of a process were stopped, in CLOCK_MONOTONIC.
struct Frozen {
  uint64_t from_ns = 0;
  uint64_t to_ns = 0;
};

/// Stops a process (SIGSTOP) that many times, each for that long, as a full garbage collection would, and lets it run
/// that long before each. Throws if it does not stop; it always runs again afterwards.
std::vector<Frozen> freeze(pid_t pid, int times, std::chrono::milliseconds length, std::chrono::milliseconds apart);

}  // namespace manometer::test
