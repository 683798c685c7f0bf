#pragma once

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <bpf/bpf.h>

#include "agent/base/unique_fd.h"
#include "agent/node/cgroup2.h"
#include "tests/support/child.h"

namespace manometer::test {

/// A cgroup of the test's own in the node's cgroup2 tree; removed with the object, so whatever runs in it must have
/// ended.
class UnifiedCgroup {
 public:
  explicit UnifiedCgroup(const std::string& name)
      : root_(open_root()), name_("manometer-test-" + name + "-" + std::to_string(::getpid())) {
    if (::mkdirat(root_.get(), name_.c_str(), 0755) != 0)
      throw std::system_error(errno, std::generic_category(), "make cgroup " + name_);
    directory_ = UniqueFd(::openat(root_.get(), name_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~UnifiedCgroup() {
    eventually([&] { return ::unlinkat(root_.get(), name_.c_str(), AT_REMOVEDIR) == 0 || errno != EBUSY; });
  }
  UnifiedCgroup(const UnifiedCgroup&) = delete;
  UnifiedCgroup& operator=(const UnifiedCgroup&) = delete;

  const std::string& name() const { return name_; }
  int fd() const { return directory_.get(); }

  /// Has this process in it as long as it lives: the sockets made meanwhile belong to it.
  class Stay {
   public:
    explicit Stay(const UnifiedCgroup& cgroup) : before_(own()) { move_to(cgroup.fd()); }
    ~Stay() { move_to(before_.get()); }
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;

   private:
    static UniqueFd own() {
      const UniqueFd root = open_root();
      std::ifstream lines("/proc/self/cgroup");
      for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("0::")) continue;
        auto found = node::open_cgroup(root.get(), line.substr(3));
        if (found && *found) return *std::move(*found);
      }
      throw std::runtime_error("this process has no cgroup2");
    }
    static void move_to(int cgroup) {
      const UniqueFd procs(::openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC));
      if (::write(procs.get(), "0", 1) != 1) std::perror("move to another cgroup");
    }

    UniqueFd before_;
  };

  /// The command as it is to be started to run in here. A socket stays in the cgroup it was made in: a process that
  /// is moved later takes none with it.
  std::vector<std::string> inside(const std::vector<std::string>& command) const {
    const std::string procs = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd()) + "/cgroup.procs";
    std::vector<std::string> out{"/bin/sh", "-c", "echo 0 > " + procs + " && exec \"$@\"", "sh"};
    out.insert(out.end(), command.begin(), command.end());
    return out;
  }

  /// Programs attached to it, by kind of attachment.
  uint32_t attached(bpf_attach_type type) const {
    __u32 flags = 0;
    __u32 count = 0;
    if (::bpf_prog_query(fd(), type, 0, &flags, nullptr, &count) != 0)
      throw std::system_error(errno, std::generic_category(), "query programs");
    return count;
  }
  uint32_t attached() const { return attached(BPF_CGROUP_INET_INGRESS) + attached(BPF_CGROUP_INET_EGRESS); }

 private:
  static UniqueFd open_root() {
    auto root = node::open_cgroup2_root(node::find_cgroup_mount()->value_or(node::CgroupMount{}), "/proc");
    if (!root) throw std::runtime_error(root.error().message());
    return *std::move(root);
  }

  UniqueFd root_;
  std::string name_;
  UniqueFd directory_;
};

}  // namespace manometer::test
