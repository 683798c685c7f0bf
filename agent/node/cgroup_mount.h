#pragma once

#include <optional>
#include <string>

#include "agent/base/result.h"

namespace manometer::node {

enum class CgroupVersion { kV1 = 1, kV2 = 2 };

/// Where a node's memory controller is.
struct CgroupMount {
  std::string memory;  // root of the tree with the memory controller
  CgroupVersion version = CgroupVersion::kV2;
  std::string unified;  // root of the cgroup2 tree, which has the pressure files; empty if there is none
};

/// Finds the memory controller in this process's mount table (libcgroup). nullopt: it is mounted nowhere.
Result<std::optional<CgroupMount>> find_cgroup_mount();

/// The same for a tree that stands for the node's /sys/fs/cgroup: another mount of it, or a test's files.
Result<std::optional<CgroupMount>> cgroup_mount_at(const std::string& root);

}  // namespace manometer::node
