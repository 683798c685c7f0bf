#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "agent/base/result.h"
#include "agent/node/cgroup_mount.h"
#include "agent/node/cgroup_origin.h"
#include "agent/node/host_paths.h"

namespace manometer::node {

/// The node's cgroup trees as we see them.
struct NodeCgroups {
  std::optional<CgroupMount> mount;  // nullopt: the memory controller is mounted nowhere
  CgroupOrigins origins;
  /// Why we do not see the cgroups outside of our cgroup namespace; nullopt if we do.
  std::optional<std::string> hidden;
};

/// Finds them where --host-cgroup says, in our own mount table, or, from a cgroup namespace of our own, where the
/// node's process 1 has them mounted: a container's own mounts end at its own cgroup.
Result<NodeCgroups> find_node_cgroups(const HostPaths& host);

/// Where a mount table (/proc/<pid>/mountinfo) has the memory controller. nullopt: nowhere.
std::optional<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo);

/// The cgroup that the process is in, by a look at all of the tree below root. nullopt: in none.
std::optional<std::string> find_cgroup_of(pid_t pid, const std::string& root);

}  // namespace manometer::node
