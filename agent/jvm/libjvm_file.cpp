#include "agent/jvm/libjvm_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "agent/jvm/perf_region.h"
#include "agent/node/mapped_file.h"
#include "agent/node/read_file.h"

namespace manometer::jvm {
namespace {

int64_t nanoseconds(const timespec& time) {
  constexpr int64_t kPerSecond = 1'000'000'000;
  return time.tv_sec * kPerSecond + time.tv_nsec;
}

}  // namespace

Result<std::optional<LibjvmFile>> open_libjvm(const node::Process& process) {
  constexpr uint64_t kMaxBytes = 1 << 30;  // with all its symbols it has 30 MB, with those of a debugger 300
  const auto maps = process.maps();
  if (!maps) return maps.error();
  const node::Mapping* mapping = *maps ? find_libjvm(**maps) : nullptr;
  if (mapping == nullptr) return std::optional<LibjvmFile>();
  const UniqueFd path(::openat(process.directory(), node::mapped_file(*mapping).c_str(), O_PATH | O_CLOEXEC));
  if (!path && node::is_gone(errno)) return std::optional<LibjvmFile>();
  if (!path) return Error::from_errno("open libjvm.so");
  auto file = node::reopen_regular(path, mapping->inode, kMaxBytes, "libjvm.so");
  if (!file) return std::move(file).error();
  struct stat status {};
  struct statfs file_system {};
  if (::fstat(file->get(), &status) != 0 || ::fstatfs(file->get(), &file_system) != 0)
    return Error::from_errno("stat libjvm.so");
  const dev_t device = file_system.f_type == OVERLAYFS_SUPER_MAGIC ? 0 : status.st_dev;
  const LibjvmKey key{device, status.st_ino, status.st_size, nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
  return std::optional(LibjvmFile{*std::move(file), key});
}

}  // namespace manometer::jvm
