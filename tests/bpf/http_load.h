#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/bpf/durations.h"

namespace manometer::test {

/// The bytes of a request without a body.
std::string http_request(const std::string& method, const std::string& target);

/// What the clients saw. sent == answered + failed when a run has ended.
struct LoadResult {
  uint64_t sent = 0;
  uint64_t answered = 0;
  uint64_t failed = 0;  // sent, but the connection ended, or nothing came, before the response was whole
  uint64_t connections_opened = 0;
  uint64_t connections_refused = 0;
  std::map<int, uint64_t> by_status;
  /// Of the answered: from just before send() to the last byte of the response, as Load::clock has it.
  Durations duration;
  /// The same from when the request was due; open loop only. It counts what waited in here for a free connection.
  Durations since_due;
};

struct Load {
  std::string host = "127.0.0.1";  // or an IPv6 address
  uint16_t port = 0;
  /// The bytes of each request, taken in turn.
  std::vector<std::string> requests = {http_request("GET", "/")};
  size_t connections = 1;
  bool new_connection_each = false;  // instead of keep-alive
  /// Requests per second, each sent when it is due if a connection is free (open loop). 0: each connection sends its
  /// next request when it has an answer (closed loop).
  double rate = 0;
  /// Sending stops after that many, or when `until` is true of the result so far; what is under way is waited for.
  uint64_t count = UINT64_MAX;
  std::function<bool(const LoadResult&)> until = [](const LoadResult&) { return false; };
  /// How the client waits. kSpin keeps a processor busy, so that it wakes up for nothing.
  enum class Waits { kSpin, kSleep };
  Waits waits = Waits::kSpin;
  /// Whose clock tells when the last byte came: the client's when it has read it, or the kernel's (SO_TIMESTAMPNS) when
  /// its packet came. The second leaves out how long the client took to wake up, which on a busy machine is long.
  enum class Clock { kReader, kPacket };
  Clock clock = Clock::kReader;
};

/// Runs a load on the calling thread. Throws if it cannot connect at all.
LoadResult run_load(const Load& load);

}  // namespace manometer::test
