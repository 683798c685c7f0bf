#include "tests/bench/clients.h"

#include <pthread.h>

namespace manometer::bench {

Clients::Clients(uint16_t port, size_t connections, double rate) {
  test::Load load;
  load.port = port;
  load.connections = connections;
  load.rate = rate;
  load.waits = test::Load::Waits::kSleep;  // what the clients' side costs is measured too
  load.until = [this](const test::LoadResult& result) {
    answered_ = result.answered;
    return stop_.load();
  };
  thread_ = std::thread([this, load = std::move(load)] {
    try {
      promise_.set_value(test::run_load(load));
    } catch (...) {
      promise_.set_exception(std::current_exception());
    }
  });
}

Clients::~Clients() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

uint64_t Clients::cpu_ns() const {
  clockid_t clock{};
  timespec time{};
  constexpr uint64_t kSecond = 1'000'000'000;
  // The handle is const for us; the thread lives until finish().
  if (::pthread_getcpuclockid(const_cast<std::thread&>(thread_).native_handle(), &clock) != 0) return 0;
  ::clock_gettime(clock, &time);
  return static_cast<uint64_t>(time.tv_sec) * kSecond + static_cast<uint64_t>(time.tv_nsec);
}

test::LoadResult Clients::finish() {
  stop_ = true;
  thread_.join();
  return promise_.get_future().get();
}

}  // namespace manometer::bench
