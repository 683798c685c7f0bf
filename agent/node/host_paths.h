#pragma once

#include <string>

namespace manometer::node {

/// Where the node's file systems are mounted for us. Tests point them at trees of their own.
struct HostPaths {
  std::string proc = "/proc";
  std::string
      cgroup;  // stands for the node's /sys/fs/cgroup; empty: wherever our own mount table has it, or process 1's
  std::string log = "/var/log";
};

}  // namespace manometer::node
