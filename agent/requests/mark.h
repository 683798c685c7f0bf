#pragma once

#include <cstdint>
#include <set>

#include "agent/base/result.h"
#include "agent/node/proc_fs.h"

namespace manometer::requests {

/// What a socket's mark says, and the map that marks are in.
struct Mark {
  int map = -1;
  uint64_t target_id = 0;
  uint32_t target_index = 0;
};

/// Marks what a process listens on and the connections it has accepted. A mark of a target in `known` stays. For the
/// blocking pool.
Result<void> mark_sockets(const node::Process& process, const Mark& mark, const std::set<uint64_t>& known);

}  // namespace manometer::requests
