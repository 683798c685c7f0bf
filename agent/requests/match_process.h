#pragma once

#include <optional>
#include <sys/types.h>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/types.h"
#include "agent/node/proc_fs.h"
#include "agent/requests/watch_pattern.h"

namespace manometer::requests {

/// A process to watch.
struct FoundProcess {
  ProcessKey key;
  pid_t namespace_pid = 0;  // in its own pid namespace
  std::vector<node::CgroupLine> cgroup;
  node::Process process;
};

/// Looks whether a pattern names the process. nullopt: none does, or it is gone, or it is a kernel thread. Waits for
/// the kernel's cgroup lock: for the blocking pool.
Result<std::optional<FoundProcess>> match_process(const node::ProcFs& proc, pid_t pid,
                                                  const std::vector<WatchPattern>& patterns);

}  // namespace manometer::requests
