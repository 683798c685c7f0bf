#pragma once
// In a cgroup namespace of its own, as containers mostly have, the agent is told every path relative to that
// namespace's root: "/../../x" is what lies elsewhere.

#include <string>
#include <string_view>

namespace manometer::node {

/// Where in the node's trees our cgroup namespace has its root. Empty: at theirs.
struct CgroupOrigins {
  std::string memory;   // in the tree with the memory controller, if that is of version 1
  std::string unified;  // in the cgroup2 tree
};

/// True for the path of a cgroup that our cgroup namespace does not show.
bool is_outside_namespace(std::string_view path);

/// What path, relative to origin, is from the root of the tree: "/a/x" for "/../x" and the origin "/a/b". The path as
/// it is if it leads above the root.
std::string from_root(std::string_view origin, std::string_view path);

}  // namespace manometer::node
