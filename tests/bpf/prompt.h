#pragma once

#include <atomic>
#include <sched.h>
#include <thread>
#include <vector>

namespace manometer::test {

/// As long as it lives, the calling thread runs as soon as it has something to do: before all ordinary threads, and on
/// processors that never sleep, because waking up takes long in a virtual machine. The thread must wait and not spin:
/// the kernel takes the processor from a real-time thread that spins. Throws if the rights are missing (CAP_SYS_NICE).
class Prompt {
 public:
  Prompt();
  ~Prompt();
  Prompt(const Prompt&) = delete;
  Prompt& operator=(const Prompt&) = delete;

 private:
  int policy_before_;
  sched_param parameters_before_{};
  std::atomic<bool> done_ = false;
  std::vector<std::jthread> awake_;  // a thread for each processor that spins when nobody else wants it
};

}  // namespace manometer::test
