#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/base/unique_fd.h"

namespace manometer::test {

/// Between which the client's kernel was given bytes.
struct SendTimes {
  uint64_t before_ns = 0;
  uint64_t after_ns = 0;
};

struct Received {
  std::string bytes;
  uint64_t first_ns = 0;  // after the first recv() that gave any
  uint64_t last_ns = 0;   // after the last one
};

/// A client's TCP connection, on which the test does each step and knows its time. What fails throws std::system_error.
class RawConnection {
 public:
  /// host: an IPv4 or IPv6 address. receive_buffer: how many bytes may wait for us to read them, about; 0: as usual.
  explicit RawConnection(uint16_t port, const std::string& host = "127.0.0.1", int receive_buffer = 0);

  /// One send(), at once.
  SendTimes send(std::string_view bytes) const;
  /// Waits for exactly so many bytes, or as many as there are before the server closes.
  Received receive(size_t count) const;
  /// All until the server closes.
  Received receive_all() const { return receive(SIZE_MAX); }
  /// Data segments that have come so far.
  uint32_t segments_received() const;
  uint16_t local_port() const;

  /// No more from us; the server may still answer.
  void shutdown() const;
  void close() { fd_ = UniqueFd(); }
  /// An RST instead of a FIN.
  void reset();

 private:
  UniqueFd fd_;
};

}  // namespace manometer::test
