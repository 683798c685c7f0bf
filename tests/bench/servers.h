#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>

#include "agent/base/unique_fd.h"
#include "tests/bpf/java_server.h"
#include "tests/support/child.h"

namespace manometer::bench {

/// A cgroup2 directory of the bench's own, for one server: what a container has on a node.
class ServerCgroup {
 public:
  /// Throws where there is no cgroup2 tree in which one can be made.
  ServerCgroup();
  ~ServerCgroup();
  ServerCgroup(const ServerCgroup&) = delete;
  ServerCgroup& operator=(const ServerCgroup&) = delete;

  int fd() const { return fd_.get(); }
  /// Command that moves itself in here and then becomes what follows it. A socket keeps the cgroup it was made in.
  std::vector<std::string> launcher() const;

 private:
  std::string path_;
  UniqueFd fd_;
};

/// The root of the cgroup2 tree. Throws if there is none.
UniqueFd cgroup2_root();

/// A server under test.
struct Server {
  virtual ~Server() = default;
  virtual pid_t pid() const = 0;
  virtual uint16_t port() const = 0;
};

/// tests/bpf/fast_http_server.
std::unique_ptr<Server> make_echo_server(const ServerCgroup& cgroup);
/// Debian's Tomcat in Debian's JDK 17. nullptr if they are not installed.
std::unique_ptr<Server> make_tomcat(const ServerCgroup& cgroup);

/// CPU time of all threads of a process.
uint64_t cpu_ns(pid_t pid);

}  // namespace manometer::bench
