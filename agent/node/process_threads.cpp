#include "agent/node/process_threads.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>

#include "agent/base/text.h"
#include "agent/node/read_file.h"

namespace manometer::node {
namespace {

std::string path_of(pid_t thread, std::string_view file) {
  return "task/" + std::to_string(thread) + '/' + std::string(file);
}

/// "0x7f..."
bool parse_address(std::string_view text, uint64_t& address) {
  return text.starts_with("0x") && parse_number(text.substr(2), address, 16);
}

Result<std::string> parse_comm(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  return std::string(text);
}

}  // namespace

Result<ThreadSyscall> parse_syscall(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text == "running") return ThreadSyscall();
  // proc(5): number and arguments if it is in a system call, else -1; stack pointer; program counter.
  const size_t last = text.rfind(' ');
  if (last == std::string_view::npos) return Error("malformed syscall");
  text = text.substr(0, last);
  const size_t before = text.rfind(' ');
  uint64_t stack_pointer = 0;
  if (before == std::string_view::npos || !parse_address(text.substr(before + 1), stack_pointer))
    return Error("malformed syscall");
  return ThreadSyscall{stack_pointer};
}

Result<std::optional<std::vector<pid_t>>> thread_ids(const Process& process, size_t at_most) {
  const int fd = ::openat(process.directory(), "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(fd < 0 ? nullptr : ::fdopendir(fd), ::closedir);
  if (!dir) {
    if (is_gone(errno)) return std::optional<std::vector<pid_t>>();
    return Error::from_errno("list threads");
  }
  std::vector<pid_t> ids;
  while (const dirent* entry = ::readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe): this DIR is ours alone
    pid_t id = 0;
    if (!parse_number(std::string_view(entry->d_name), id)) continue;
    if (ids.size() == at_most) return Error("it has more than " + std::to_string(at_most) + " threads");
    ids.push_back(id);
  }
  std::ranges::sort(ids);
  return std::optional(std::move(ids));
}

Result<std::optional<std::string>> thread_name(const Process& process, pid_t thread) {
  return read_and_parse(process.directory(), path_of(thread, "comm"), parse_comm);
}

Result<std::optional<ProcStat>> thread_stat(const Process& process, pid_t thread) {
  return read_and_parse(process.directory(), path_of(thread, "stat"), parse_stat);
}

Result<std::optional<ThreadSyscall>> thread_syscall(const Process& process, pid_t thread) {
  return read_and_parse(process.directory(), path_of(thread, "syscall"), parse_syscall);
}

}  // namespace manometer::node
