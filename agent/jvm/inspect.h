#pragma once

#include <variant>
#include <vector>

#include "agent/base/types.h"
#include "agent/jvm/perf_region.h"
#include "agent/node/proc_fs.h"

namespace manometer::jvm {

/// A process that runs and has no libjvm (yet).
struct NotJvm {};

struct FoundJvm {
  ProcessKey key;
  pid_t namespace_pid = 0;  // in its own pid namespace
  std::vector<node::CgroupLine> cgroup;
  node::Process process;
};

using Inspection = std::variant<NotJvm, Gone, FoundJvm, Refusal>;

/// Looks whether a process is a JVM. Can hang (see node::Process::maps): for the blocking pool only. A Refusal: we
/// cannot tell, because we may not see its mappings.
Inspection inspect(const node::ProcFs& proc, pid_t pid);

}  // namespace manometer::jvm
