#include "agent/jvm/inspect.h"

namespace manometer::jvm {

Inspection inspect(const node::ProcFs& proc, pid_t pid) {
  auto process = proc.process(pid);
  if (!process) return to_refusal(process.error());
  if (!*process) return Gone{};
  const auto stat = (*process)->stat();
  const auto maps = (*process)->maps();
  if (!maps) return to_refusal(maps.error());
  if (!*maps) return Gone{};
  if (find_libjvm(**maps) == nullptr) return NotJvm{};
  const auto namespace_pid = (*process)->namespace_pid();
  auto cgroup = proc.cgroup(**process);
  if (!stat) return to_refusal(stat.error());
  if (!namespace_pid) return to_refusal(namespace_pid.error());
  if (!cgroup) return to_refusal(cgroup.error());
  if (!*stat || !*namespace_pid || !*cgroup || (*stat)->is_dead()) return Gone{};
  return FoundJvm{{pid, (*stat)->start_ticks}, **namespace_pid, **std::move(cgroup), **std::move(process)};
}

}  // namespace manometer::jvm
