#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/log.h"
#include "agent/base/types.h"
#include "agent/container/cgroup_name.h"
#include "agent/container/memory_watch.h"
#include "agent/container/pod_names.h"
#include "agent/container/target.h"
#include "agent/limits.h"
#include "agent/node/cgroup_fs.h"
#include "agent/node/proc_fs.h"

namespace manometer::container {

/// What a container uses, as of a moment.
struct MemoryReading {
  TimePoint at;
  node::MemoryUsage usage;
  std::optional<memory_counts> counts = {};  // nullopt: the kernel does not count for it
};

/// A cgroup with at least one process in it that we watch.
struct Container {
  Target target;
  CgroupName cgroup;
  bool names_certain = false;                // no better ones can come
  std::optional<node::Process> process;      // the last that was acquired with it, as long as names can come
  std::optional<node::MemoryCgroup> memory;  // nullopt: the node shows us no memory controller for it
  std::optional<uint64_t> counted;           // the cgroup for which the kernel counts; nullopt: it does not
  size_t processes = 0;
  std::optional<MemoryReading> reading;  // the last, if it succeeded
};

/// The containers of the JVMs we know, by cgroup path.
class Index {
 public:
  /// mount: nullopt where there is no memory controller. log must outlive the index.
  Index(std::optional<node::CgroupMount> mount, LogOnce& log, size_t most = Limits().containers)
      : mount_(std::move(mount)), log_(log), most_(most) {}

  size_t most() const { return most_; }
  /// Whether a process of these lines may be acquired: its container is known, or fewer than most are.
  bool has_room_for(const std::vector<node::CgroupLine>& lines) const;

  /// Has the kernel count for containers that are acquired from now on. probe must outlive the index's use.
  void count_with(probes::MemoryProbe& probe) { counts_.emplace(probe); }

  /// Counts a process into its container and returns that container's key for release(). lines: /proc/<pid>/cgroup.
  std::string acquire(const std::vector<node::CgroupLine>& lines, std::optional<node::Process> process = std::nullopt);
  /// Forgets the container with its last process.
  void release(const std::string& key);

  /// Who a process of that container is. It changes when the container's names become known. pid: the label.
  Target target(const std::string& key, const std::string& pid) const;

  /// Called when a container came of which names can become known.
  std::function<void()> on_unnamed = [] {};
  /// The containers of which names, or better ones, can become known.
  std::vector<Unnamed> unnamed() const;
  /// Takes names for a container, all series of which have them from now on. A container that is gone needs none.
  void set_names(const std::string& key, const PodNames& names);

  /// What the container with that key uses, read anew if the last reading is older than that. nullopt: not known.
  const std::optional<MemoryReading>& memory(const std::string& key, TimePoint now, TimePoint::duration max_age);

  /// What the kernel has counted for it. nullopt: it does not.
  std::optional<memory_counts> counts(const Container& container) const;
  /// OOM kills of the containers for which the kernel counts, and of those that are gone; a container keeps them when
  /// it starts again.
  std::map<Target, uint64_t> oom_kills() const;

  const std::map<std::string, Container>& all() const { return containers_; }

 private:
  Target make_unique(Target wanted, const CgroupName& cgroup, const Container* taker) const;
  bool free_name(const Container& taker, const Target& named, bool is_certain);
  Container open(CgroupName cgroup, const std::string& unified_path);
  void renew(Container& container, const std::string& unified_path);
  void start_counting(const std::string& path, Container& container);

  std::optional<node::CgroupMount> mount_;
  LogOnce& log_;
  size_t most_;
  std::map<std::string, Container> containers_;
  std::optional<MemoryWatch> counts_;
};

}  // namespace manometer::container
