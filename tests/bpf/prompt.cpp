#include "tests/bpf/prompt.h"

#include <cerrno>
#include <pthread.h>
#include <system_error>

namespace manometer::test {
namespace {

void keep_awake(size_t processor, const std::atomic<bool>& done) {
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(processor, &here);
  ::sched_setaffinity(0, sizeof(here), &here);
  const sched_param none{};
  if (::sched_setscheduler(0, SCHED_IDLE, &none) != 0) return;
  while (!done) {
  }
}

}  // namespace

Prompt::Prompt() : policy_before_(::sched_getscheduler(0)) {
  ::sched_getparam(0, &parameters_before_);
  // Threads inherit a policy: these are made first.
  cpu_set_t ours;
  ::sched_getaffinity(0, sizeof(ours), &ours);
  for (size_t i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &ours)) awake_.emplace_back([this, i] { keep_awake(i, done_); });
  sched_param first{};
  first.sched_priority = 1;
  if (::sched_setscheduler(0, SCHED_FIFO, &first) == 0) return;
  const int error = errno;
  done_ = true;
  throw std::system_error(error, std::generic_category(), "real-time priority");
}

Prompt::~Prompt() {
  ::sched_setscheduler(0, policy_before_, &parameters_before_);
  done_ = true;
}

}  // namespace manometer::test
