#pragma once
// Files below /proc/<pid>. Each reader is named after its file and has a parser beside it that opens nothing.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/node/cgroup_origin.h"

namespace manometer::node {

/// The fields we use of /proc/<pid>/stat and /proc/<pid>/task/<tid>/stat (proc(5)): of all threads, or of the one.
struct ProcStat {
  char state = '?';        // 'Z' and 'X' have no memory any more
  uint32_t flags = 0;      // PF_*; kernel threads carry PF_KTHREAD
  uint64_t cpu_ticks = 0;  // user and system
  uint32_t threads = 0;
  uint64_t start_ticks = 0;  // clock ticks since boot

  bool is_kernel_thread() const { return (flags & 0x00200000U) != 0; }
  bool is_dead() const { return state == 'Z' || state == 'X'; }
  uint64_t cpu_ns() const;
};

/// One line of /proc/<pid>/maps.
struct Mapping {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t offset = 0;
  bool readable = false;
  bool writable = false;
  bool executable = false;
  bool shared = false;
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  uint64_t inode = 0;
  std::string path;  // as the kernel prints it: newline is \012, " (deleted)" may follow
};

/// One line of /proc/<pid>/cgroup: "4:memory:/a/b", v2 is "0::/a/b".
struct CgroupLine {
  std::string controllers;
  std::string path;

  bool has(std::string_view controller) const;
  bool is_unified() const { return controllers.empty(); }
  bool operator==(const CgroupLine&) const = default;
};

Result<ProcStat> parse_stat(std::string_view text);
Result<std::vector<Mapping>> parse_maps(std::string_view text);
/// The pid in the innermost namespace: last number of the NSpid line of /proc/<pid>/status.
Result<pid_t> parse_namespace_pid(std::string_view status);
Result<std::vector<CgroupLine>> parse_cgroup(std::string_view text);

/// One process, held by its open /proc directory: after its end every read says gone, also when its pid is used again.
class Process {
 public:
  Process(pid_t pid, UniqueFd directory)
      : pid_(pid), directory_(std::make_shared<const UniqueFd>(std::move(directory))) {}

  pid_t pid() const { return pid_; }
  int directory() const { return directory_->get(); }

  // nullopt: the process is gone.
  Result<std::optional<ProcStat>> stat() const;
  Result<std::optional<pid_t>> namespace_pid() const;
  /// Paths are relative to our cgroup namespace; see ProcFs::cgroup.
  Result<std::optional<std::vector<CgroupLine>>> cgroup() const;
  /// Waits for the process's address space lock, which a page fault on a hung file system can hold: for the blocking
  /// pool only.
  Result<std::optional<std::vector<Mapping>>> maps() const;

 private:
  pid_t pid_;
  std::shared_ptr<const UniqueFd> directory_;
};

class ProcFs {
 public:
  /// An Error if root is not a directory we may read.
  static Result<ProcFs> open(const std::string& root);

  /// Every process (thread group) now.
  Result<std::vector<pid_t>> pids() const;
  /// nullopt: there is no such process.
  Result<std::optional<Process>> process(pid_t pid) const;

  /// Where the root of our cgroup namespace is, from which on paths are from the roots of the node's trees.
  void set_cgroup_origins(CgroupOrigins origins) { origins_ = std::move(origins); }
  /// The cgroups of a process, as far from the roots of the node's trees as that is known. nullopt: it is gone.
  Result<std::optional<std::vector<CgroupLine>>> cgroup(const Process& process) const;

 private:
  explicit ProcFs(UniqueFd root) : root_(std::move(root)) {}

  UniqueFd root_;
  CgroupOrigins origins_;
};

}  // namespace manometer::node
