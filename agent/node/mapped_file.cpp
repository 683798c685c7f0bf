#include "agent/node/mapped_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>

namespace manometer::node {

std::string mapped_file(const Mapping& mapping) {
  return fmt::format("map_files/{:x}-{:x}", mapping.start, mapping.end);
}

Result<UniqueFd> reopen_regular(const UniqueFd& path_fd, uint64_t inode, uint64_t max_bytes, std::string_view what) {
  struct stat status {};
  if (::fstat(path_fd.get(), &status) != 0) return Error::from_errno(fmt::format("stat {}", what));
  if (!S_ISREG(status.st_mode)) return Error(fmt::format("{}: not a regular file", what));
  // Not the device: overlayfs and btrfs show another one in maps than in stat.
  if (status.st_ino != inode) return Error(fmt::format("{}: not the file that this process maps", what));
  if (static_cast<uint64_t>(status.st_size) > max_bytes)
    return Error(fmt::format("{}: larger than {} MiB", what, max_bytes >> 20U));
  const std::string self = "/proc/self/fd/" + std::to_string(path_fd.get());
  UniqueFd fd(::open(self.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) return Error::from_errno(fmt::format("open {}", what));
  return fd;
}

}  // namespace manometer::node
