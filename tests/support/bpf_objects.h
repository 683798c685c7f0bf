#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <sys/types.h>
#include <utility>

namespace manometer::test {

enum class BpfKind { kProgram, kLink, kMap };

/// BPF objects by kind and id.
using BpfObjects = std::set<std::pair<BpfKind, uint32_t>>;

/// Those that a process holds by its descriptors. Empty if it is gone.
BpfObjects held_by(pid_t pid);
std::set<std::string> program_names(const BpfObjects& objects);
bool none_exists(const BpfObjects& objects);

/// Programs of these names, and links to such, that exist although no process holds them. (Agents of others may run
/// on this machine: what they hold is theirs.)
BpfObjects without_holder(const std::set<std::string>& names);

/// In which the pids are that we know, as programs have it from the agent.
uint32_t own_pid_namespace();

}  // namespace manometer::test
