#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "agent/base/result.h"
#include "agent/node/proc_fs.h"

namespace manometer::node {

/// A TCP socket that a process serves: one it listens on, or a connection to one of those ports.
struct ServerSocket {
  int fd = -1;  // a duplicate, closed after the visit: a longer one would keep the port bound after its owner's end
  uint64_t inode = 0;
  bool is_listener = false;
  uint16_t port = 0;  // local
  uint8_t state = 0;  // as the kernel numbers them, 1 is ESTABLISHED
  std::chrono::milliseconds since_sent{0};
  std::chrono::milliseconds since_received{0};
  uint64_t bytes_received = 0;
  uint64_t bytes_acked = 0;  // of those sent
};

/// What a look at a process's descriptors found.
struct SocketCounts {
  size_t descriptors = 0;
  size_t listeners = 0;
  size_t connections = 0;
  bool all = true;  // false: it has more descriptors than we look at
};

/// How many descriptors of one process we look at.
inline constexpr size_t kMaxDescriptors = 200'000;

/// Visits the server sockets of a process, each once, every listener before its connections. nullopt: the process is
/// gone. Nothing but its sockets is touched. Can hang, as each close() can: for the blocking pool only.
Result<std::optional<SocketCounts>> visit_server_sockets(const Process& process,
                                                         const std::function<void(const ServerSocket&)>& visit,
                                                         size_t max_descriptors = kMaxDescriptors);

}  // namespace manometer::node
