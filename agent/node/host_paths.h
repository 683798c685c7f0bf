#pragma once

#include <string>

namespace manometer::node {

/// Where the node's file systems are mounted for us. Tests point them at a tree of their own.
struct HostPaths {
  std::string proc = "/proc";
  std::string cgroup;  // empty: where this process's mount table has the memory controller
};

}  // namespace manometer::node
