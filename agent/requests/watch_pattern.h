#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/node/proc_fs.h"

namespace manometer::requests {

/// Names processes to watch: those whose executable's path or cgroup's path the glob matches. A `*` matches `/` too.
struct WatchPattern {
  enum class Kind { kExecutable, kCgroup };

  Kind kind = Kind::kExecutable;
  std::string glob;
};

/// "exe:GLOB" or "cgroup:GLOB".
Result<WatchPattern> parse_watch_pattern(std::string_view text);

/// executable: what /proc/<pid>/exe leads to, with the kernel's " (deleted)" behind a file that was replaced.
bool matches_executable(const WatchPattern& pattern, std::string executable);
/// True if one of the process's cgroups matches: on cgroup v1 it is in several.
bool matches_cgroup(const WatchPattern& pattern, const std::vector<node::CgroupLine>& cgroup);

}  // namespace manometer::requests
