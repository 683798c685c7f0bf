#include "agent/requests/watch_pattern.h"

#include <algorithm>
#include <fnmatch.h>

#include "agent/base/text.h"

namespace manometer::requests {
namespace {

bool matches(const std::string& glob, const std::string& path) {
  return ::fnmatch(glob.c_str(), path.c_str(), 0) == 0;
}

}  // namespace

Result<WatchPattern> parse_watch_pattern(std::string_view text) {
  std::string_view glob = text;
  const std::string_view kind = take_until(glob, ':');
  // Every path begins with a slash, so another beginning would match nothing, silently.
  const bool can_match = glob.starts_with('/') || glob.starts_with('*') || glob.starts_with('[') ||
                         glob.starts_with('?') || glob.starts_with("\\/");
  if (can_match && kind == "exe") return WatchPattern{WatchPattern::Kind::kExecutable, std::string(glob)};
  if (can_match && kind == "cgroup") return WatchPattern{WatchPattern::Kind::kCgroup, std::string(glob)};
  return Error("'" + std::string(text) +
               "': give exe:GLOB for the path of an executable, or cgroup:GLOB for the path of a cgroup, "
               "as in exe:/usr/sbin/nginx, exe:*/node or cgroup:/system.slice/*; a path begins with /");
}

bool matches_executable(const WatchPattern& pattern, std::string executable) {
  constexpr std::string_view kDeleted = " (deleted)";
  if (executable.ends_with(kDeleted)) executable.resize(executable.size() - kDeleted.size());
  return pattern.kind == WatchPattern::Kind::kExecutable && matches(pattern.glob, executable);
}

bool matches_cgroup(const WatchPattern& pattern, const std::vector<node::CgroupLine>& cgroup) {
  return pattern.kind == WatchPattern::Kind::kCgroup &&
         std::ranges::any_of(cgroup, [&](const node::CgroupLine& line) { return matches(pattern.glob, line.path); });
}

}  // namespace manometer::requests
