#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <sys/types.h>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/node/proc_fs.h"

namespace manometer::jvm {

/// Of the file itself. Containers of one image have each an overlay of their own on one file, where the kernel puts
/// each probe as often as we ask; so there it is known by what they share.
struct LibjvmKey {
  dev_t device = 0;  // 0: an overlay
  ino_t inode = 0;
  off_t bytes = 0;
  int64_t modified_ns = 0;
  int64_t changed_ns = 0;

  auto operator<=>(const LibjvmKey&) const = default;
};

struct LibjvmFile {
  UniqueFd file;
  LibjvmKey key;
};

/// The libjvm that the process maps, by that very mapping. nullopt: the process is gone, or has none any more. Can
/// hang: for the blocking pool only.
Result<std::optional<LibjvmFile>> open_libjvm(const node::Process& process);

}  // namespace manometer::jvm
