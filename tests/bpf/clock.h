#pragma once

#include <cstdint>
#include <ctime>

namespace manometer::test {

/// CLOCK_MONOTONIC, which is also what BPF's bpf_ktime_get_ns() and Java's System.nanoTime() read.
inline uint64_t now_ns() {
  constexpr uint64_t kSecond = 1'000'000'000;
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * kSecond + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace manometer::test
