#pragma once
// Files below /proc/<pid>/task: what threads a process has, and what each is doing.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "agent/base/result.h"
#include "agent/node/proc_fs.h"

namespace manometer::node {

/// The field we use of /proc/<pid>/task/<tid>/syscall.
struct ThreadSyscall {
  std::optional<uint64_t> stack_pointer;  // nullopt while the thread runs
};

Result<ThreadSyscall> parse_syscall(std::string_view text);

// nullopt: the process or the thread is gone.

/// Its threads now, ascending. An Error if there are more than at_most.
Result<std::optional<std::vector<pid_t>>> thread_ids(const Process& process, size_t at_most);
/// At most 15 bytes, which the process chooses.
Result<std::optional<std::string>> thread_name(const Process& process, pid_t thread);
Result<std::optional<ProcStat>> thread_stat(const Process& process, pid_t thread);
/// Needs the right to trace the process.
Result<std::optional<ThreadSyscall>> thread_syscall(const Process& process, pid_t thread);

}  // namespace manometer::node
