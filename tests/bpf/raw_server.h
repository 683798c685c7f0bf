#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/child.h"

namespace manometer::test {

/// What the server did and when, by CLOCK_MONOTONIC: before the first and after it, before the last and after it, of
/// the system calls that moved bytes. What the kernel did at the first of them lies between the first two.
struct Step {
  int64_t value = 0;  // bytes moved
  uint64_t first_before_ns = 0;
  uint64_t first_after_ns = 0;
  uint64_t last_before_ns = 0;
  uint64_t last_after_ns = 0;
};

class RawServer;

/// A connection as the server sees it. What fails there throws std::system_error here.
class RawServerConnection {
 public:
  RawServerConnection(RawServer& server, int64_t fd) : server_(server), fd_(std::to_string(fd)) {}

  /// Until so many bytes have come, unread.
  Step await(size_t count);
  /// Waits for so many bytes, and reads them; value is less if the client has no more to say.
  Step read(size_t count);
  /// The same; it waits, not in a read, when this returns. finish() gives the outcome.
  void begin_read(size_t count);
  /// Waits and reads until that many requests without a body have come.
  Step read_requests(size_t count);
  /// Looks at bytes without taking them.
  Step peek(size_t count);
  /// One recv() that is waiting when the bytes come: it waits when this returns. finish() gives its outcome.
  void begin_recv(size_t count);
  Step finish();

  /// One send() for each segment, without Nagle's delay. Up to ten are segments of their own on a new connection; the
  /// congestion window may keep more, and the kernel then joins them.
  Step write(const std::vector<std::string>& segments);
  /// So many bytes 'x'.
  Step fill(size_t count);
  /// The same; finish() gives the outcome, when the client has read enough for the rest to leave.
  void begin_fill(size_t count);
  /// The first bytes of a file. The path must have no spaces.
  Step sendfile(const std::string& path, size_t count);

  Step uring_read(size_t count);
  void begin_uring_recv(size_t count);
  Step uring_write(const std::vector<std::string>& segments);

  void shutdown();
  void close();
  /// An RST instead of a FIN.
  void reset();

 private:
  Step does(const std::string& command, const std::string& arguments = "");

  RawServer& server_;
  std::string fd_;
};

/// `raw_http_server`, a process that does to its sockets what it is told, step by step. It ends with the object.
class RawServer {
 public:
  enum class Family { kV4, kV6, kDual };
  struct Listener {
    int64_t fd = -1;
    uint16_t port = 0;
  };

  RawServer();
  static std::string binary();
  pid_t pid() const { return child_.pid(); }
  bool has_io_uring();

  Listener listen(Family family = Family::kV4, int backlog = 16);
  /// Waits for the next connection.
  RawServerConnection accept(const Listener& listener);
  void close(const Listener& listener);

 private:
  friend class RawServerConnection;
  struct Answer {
    Step step;
    int port = 0;
  };

  Answer does(const std::string& command);
  void begin(const std::string& command);
  /// Until it waits in that system call.
  void await_syscall(long number) const;
  Answer finish();

  Child child_;
};

}  // namespace manometer::test
