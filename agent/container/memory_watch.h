#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "agent/base/result.h"
#include "agent/container/oom_history.h"
#include "agent/container/target.h"
#include "agent/probes/memory_probe.h"

namespace manometer::container {

/// What the kernel counts for the memory cgroups of containers, and the OOM kills of those that are gone.
class MemoryWatch {
 public:
  /// lingering: containers at most that are counted on after they were released.
  explicit MemoryWatch(probes::MemoryProbe& probe, size_t lingering = kLingering)
      : probe_(probe), lingering_(lingering) {}

  /// Counts for a container from now on; if it lingers, its counts go on.
  Result<void> add(uint64_t cgroup, const Target& target, const std::string& path);
  /// Has it counted under other names from now on, with what was counted before.
  void rename(uint64_t cgroup, const Target& target);
  /// Lets it linger: an OOM kill may be counted after we know that its process has ended.
  void release(uint64_t cgroup);

  std::optional<memory_counts> read(uint64_t cgroup) const { return probe_.read(cgroup); }
  /// OOM kills by who was killed: of every container that is there, and of those that are gone if there were any.
  std::map<Target, uint64_t> oom_kills() const;
  /// True if kills of a container with another path, outside of pods, have that name.
  bool is_taken(const Target& target, const std::string& path) const;

 private:
  struct Watched {
    Target target;
    std::string path;
    bool lingers = false;
  };

  /// It has to have room for all that are released before the kernel is done with the end of one.
  static constexpr size_t kLingering = 256;

  void forget(uint64_t cgroup);

  probes::MemoryProbe& probe_;
  size_t lingering_;
  std::map<uint64_t, Watched> cgroups_;
  std::deque<uint64_t> released_;  // those that linger, the longest first
  OomHistory history_;
};

}  // namespace manometer::container
