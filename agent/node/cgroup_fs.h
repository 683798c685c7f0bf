#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/node/cgroup_mount.h"
#include "agent/node/psi.h"

namespace manometer::node {

/// What the kernel accounts to one cgroup and those below it. A field the kernel or the cgroup version lacks is
/// nullopt.
struct MemoryUsage {
  std::optional<uint64_t> usage_bytes;
  std::optional<uint64_t> limit_bytes;        // lowest on the path to the root; nullopt: none is set
  std::optional<uint64_t> working_set_bytes;  // usage without inactive file pages, as the kubelet evicts by
  std::optional<uint64_t> anon_bytes;
  std::optional<uint64_t> shmem_bytes;  // a ZGC heap is here, not in anon
  std::optional<uint64_t> kernel_bytes;
  std::optional<uint64_t> low_events;
  std::optional<uint64_t> high_events;
  std::optional<uint64_t> max_events;  // charges that hit the limit
  std::optional<uint64_t> oom_events;
  std::optional<uint64_t> oom_kill_events;
  std::optional<uint64_t> major_faults;  // pages that had to be read from a disk
  std::optional<Psi> pressure;
};

/// One memory cgroup, held by its directory: a cgroup made anew under the same name is another one.
class MemoryCgroup {
 public:
  /// path: as in /proc/<pid>/cgroup, below the mount's root; unified_path: the same of the cgroup2 tree, empty if
  /// unknown. nullopt: there is no such cgroup (any more).
  static Result<std::optional<MemoryCgroup>> open(const CgroupMount& mount, const std::string& path,
                                                  const std::string& unified_path);

  /// By which the kernel knows it; never another cgroup's. nullopt: memory is not accounted to this one.
  std::optional<uint64_t> id() const;
  /// False if one of them was made anew under the other's name.
  bool is_same(const MemoryCgroup& other) const;
  /// nullopt: the cgroup was removed.
  Result<std::optional<MemoryUsage>> read() const;

 private:
  MemoryCgroup(CgroupVersion version, size_t depth, UniqueFd memory, UniqueFd pressure)
      : version_(version), depth_(depth), memory_(std::move(memory)), pressure_(std::move(pressure)) {}

  Result<std::optional<uint64_t>> number(const char* file) const;
  Result<std::optional<uint64_t>> effective_limit(const char* file) const;
  Result<void> read_v1(MemoryUsage& usage) const;
  Result<void> read_v2(MemoryUsage& usage) const;

  CgroupVersion version_;
  size_t depth_;  // levels below the root
  UniqueFd memory_;
  UniqueFd pressure_;  // may own none
};

/// A limit file's content: bytes, nullopt for "max" and for v1's nearly 2^63, which mean the same.
Result<std::optional<uint64_t>> parse_limit(std::string_view text);

}  // namespace manometer::node
