#pragma once

#include <functional>
#include <memory>
#include <span>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <bpf/libbpf.h>

#include "agent/base/result.h"

namespace manometer::bpf {

/// Hands the records of a BPF ring buffer to a function on the loop, at most kBatchInterval after they were written.
class RingReader {
 public:
  /// A storm of events wakes the agent once per interval, not once per event.
  static constexpr std::chrono::milliseconds kBatchInterval{10};

  using OnRecord = std::function<void(std::span<const std::byte>)>;

  static Result<std::unique_ptr<RingReader>> open(boost::asio::io_context& loop, int map_fd, OnRecord on_record);
  ~RingReader();
  RingReader(const RingReader&) = delete;
  RingReader& operator=(const RingReader&) = delete;

 private:
  struct Free {
    void operator()(ring_buffer* ring) const { ::ring_buffer__free(ring); }
  };

  RingReader(boost::asio::io_context& loop, OnRecord on_record)
      : readable_(loop), timer_(loop), on_record_(std::move(on_record)) {}

  static int record(void* self, void* data, size_t size);
  void wait();

  std::unique_ptr<ring_buffer, Free> ring_;
  boost::asio::posix::stream_descriptor readable_;  // the ring's own epoll descriptor
  boost::asio::steady_timer timer_;
  OnRecord on_record_;
};

}  // namespace manometer::bpf
