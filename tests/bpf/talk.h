#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/bpf/raw_connection.h"
#include "tests/bpf/raw_server.h"

namespace manometer::test {

/// When something happened: not before low, not after high (CLOCK_MONOTONIC).
struct Between {
  uint64_t low_ns = 0;
  uint64_t high_ns = 0;
};

/// What happened to a request, as far as it did.
struct Timeline {
  std::optional<Between> arrival;
  std::optional<Between> read;
  std::optional<Between> first_byte;
  std::optional<Between> last_byte;
};

/// A client and a watched server at the two ends of a connection. Each step is taken when the one before has had its
/// effect at the other end.
class Talk {
 public:
  Talk(RawServer& server, const RawServer::Listener& listener, const std::string& host = "127.0.0.1",
       int receive_buffer = 0);

  /// Writes so many requests, segment by segment, each when the one before has arrived. When the first of it did.
  Between send(const std::vector<std::string>& segments, uint64_t requests = 1);
  /// The same for what is no request, or the rest of one.
  Between send_more(const std::vector<std::string>& segments) { return send(segments, 0); }
  /// The server reads some of what has come, or all of it.
  Between read(size_t count);
  Between read() { return read(unread_); }
  /// The server writes segment by segment, and the client receives it all. When the first of it left and the last.
  void write(const std::vector<std::string>& segments, Timeline& request);
  void write(const std::vector<std::string>& segments);
  /// Reads all and answers.
  void answer(const std::vector<std::string>& segments, Timeline& request);
  void answer(const std::vector<std::string>& segments);
  /// A request and its answer.
  Timeline exchange(const std::vector<std::string>& request, const std::vector<std::string>& response);

  RawConnection& client() { return client_; }
  RawServerConnection& server() { return server_; }
  /// Requests sent so far.
  uint64_t sent() const { return sent_; }

 private:
  RawConnection client_;
  RawServerConnection server_;
  size_t unread_ = 0;
  uint64_t sent_ = 0;
};

/// Of the first and the last of some segments.
inline Between first_of(const Step& step) {
  return {step.first_before_ns, step.first_after_ns};
}
inline Between last_of(const Step& step) {
  return {step.last_before_ns, step.last_after_ns};
}

/// Each byte by itself.
std::vector<std::string> bytes_of(const std::string& text);
/// In two, before this position.
std::vector<std::string> cut(const std::string& text, size_t at);
std::string repeat(const std::string& text, size_t count);

}  // namespace manometer::test
