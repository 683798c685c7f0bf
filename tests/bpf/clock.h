#pragma once

#include <cstdint>
#include <ctime>

namespace manometer::test {

inline uint64_t to_ns(const timespec& time) {
  constexpr uint64_t kSecond = 1'000'000'000;
  return static_cast<uint64_t>(time.tv_sec) * kSecond + static_cast<uint64_t>(time.tv_nsec);
}

/// CLOCK_MONOTONIC, which is also what BPF's bpf_ktime_get_ns() and Java's System.nanoTime() read.
inline uint64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return to_ns(now);
}

}  // namespace manometer::test
