#pragma once
// The cgroup2 tree as BPF programs want it: by open directories.

#include <optional>
#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/node/cgroup_mount.h"

namespace manometer::node {

/// The root of the cgroup2 tree: where the node has it mounted for us, else where process 1 of proc_root has it, else a
/// mount of our own that is in no mount table and ends with the descriptor.
Result<UniqueFd> open_cgroup2_root(const std::optional<CgroupMount>& mount, const std::string& proc_root);

/// The cgroup with this path in /proc/<pid>/cgroup. nullopt: there is no such cgroup (any more). An Error also for one
/// that our cgroup namespace does not show.
Result<std::optional<UniqueFd>> open_cgroup(int root, std::string_view path);

}  // namespace manometer::node
