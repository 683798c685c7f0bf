#include "agent/requests/match_process.h"

#include <algorithm>
#include <climits>
#include <string>
#include <unistd.h>
#include <utility>

#include "agent/node/read_file.h"

namespace manometer::requests {
namespace {

/// nullopt: the process is gone, or has no program, as kernel threads.
Result<std::optional<std::string>> executable_of(const node::Process& process) {
  std::string path(PATH_MAX, '\0');
  const ssize_t n = ::readlinkat(process.directory(), "exe", path.data(), path.size());
  if (n < 0 && node::is_gone(errno)) return std::optional<std::string>();
  if (n < 0) return Error::from_errno("read exe");
  path.resize(static_cast<size_t>(n));
  return std::optional(std::move(path));
}

bool has(const std::vector<WatchPattern>& patterns, WatchPattern::Kind kind) {
  return std::ranges::any_of(patterns, [kind](const WatchPattern& pattern) { return pattern.kind == kind; });
}

/// The path is read only if a pattern wants it: that takes rights which the rest does not.
Result<bool> is_named_by_executable(const node::Process& process, const std::vector<WatchPattern>& patterns) {
  if (!has(patterns, WatchPattern::Kind::kExecutable)) return false;
  const auto executable = executable_of(process);
  if (!executable) return executable.error();
  return *executable && std::ranges::any_of(patterns, [&](const WatchPattern& pattern) {
    return matches_executable(pattern, **executable);
  });
}

bool is_named_by_cgroup(const std::vector<node::CgroupLine>& cgroup, const std::vector<WatchPattern>& patterns) {
  return std::ranges::any_of(patterns, [&](const WatchPattern& pattern) { return matches_cgroup(pattern, cgroup); });
}

Result<std::optional<FoundProcess>> describe(node::Process process, std::vector<node::CgroupLine> cgroup) {
  const auto stat = process.stat();
  const auto namespace_pid = process.namespace_pid();
  if (!stat) return stat.error();
  if (!namespace_pid) return namespace_pid.error();
  if (!*stat || !*namespace_pid || (*stat)->is_dead() || (*stat)->is_kernel_thread())
    return std::optional<FoundProcess>();
  const ProcessKey key{process.pid(), (*stat)->start_ticks};
  return std::optional(FoundProcess{key, **namespace_pid, std::move(cgroup), std::move(process)});
}

}  // namespace

Result<std::optional<FoundProcess>> match_process(const node::ProcFs& proc, pid_t pid,
                                                  const std::vector<WatchPattern>& patterns) {
  auto process = proc.process(pid);
  if (!process) return std::move(process).error();
  if (!*process) return std::optional<FoundProcess>();
  const auto by_executable = is_named_by_executable(**process, patterns);
  const bool named = by_executable && *by_executable;
  // What most processes of a node come to, before the larger file.
  if (by_executable && !named && !has(patterns, WatchPattern::Kind::kCgroup)) return std::optional<FoundProcess>();
  auto cgroup = proc.cgroup(**process);
  if (!cgroup) return std::move(cgroup).error();
  if (!*cgroup) return std::optional<FoundProcess>();
  if (named || is_named_by_cgroup(**cgroup, patterns)) return describe(**std::move(process), **std::move(cgroup));
  if (!by_executable) return by_executable.error();
  return std::optional<FoundProcess>();
}

}  // namespace manometer::requests
