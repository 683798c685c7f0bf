#pragma once
// Files that a process maps, opened without trusting the container that has them.

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/node/proc_fs.h"

namespace manometer::node {

/// The link below a process's /proc directory that leads to the very file that is mapped there, whatever became of its
/// path. To follow it needs CAP_CHECKPOINT_RESTORE.
std::string mapped_file(const Mapping& mapping);

/// Opens for reading what an O_PATH descriptor stands for, if it is a regular file (to open a device or a FIFO has
/// effects) with this inode and of at most so many bytes. An Error names the file as `what`.
Result<UniqueFd> reopen_regular(const UniqueFd& path_fd, uint64_t inode, uint64_t max_bytes, std::string_view what);

}  // namespace manometer::node
