#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <future>
#include <thread>

#include "tests/bpf/http_load.h"

namespace manometer::bench {

/// Clients that load a server on a thread of their own, from the construction until finish().
class Clients {
 public:
  /// rate: requests per second; 0: as many as the server answers.
  Clients(uint16_t port, size_t connections, double rate);
  ~Clients();
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  /// Answered so far: an index into the durations that finish() gives.
  size_t answered() const { return answered_; }
  /// CPU time of the thread.
  uint64_t cpu_ns() const;
  /// Throws what went wrong in the clients.
  test::LoadResult finish();

 private:
  std::atomic<size_t> answered_ = 0;
  std::atomic<bool> stop_ = false;
  std::promise<test::LoadResult> promise_;
  std::thread thread_;
};

}  // namespace manometer::bench
