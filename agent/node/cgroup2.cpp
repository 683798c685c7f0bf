#include "agent/node/cgroup2.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "agent/base/text.h"
#include "agent/node/cgroup_origin.h"
#include "agent/node/read_file.h"

namespace manometer::node {
namespace {

Result<UniqueFd> open_mount(const std::string& directory) {
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return Error::from_errno("open " + directory);
  struct statfs status {};
  if (::fstatfs(fd.get(), &status) != 0) return Error::from_errno("statfs " + directory);
  if (status.f_type != CGROUP2_SUPER_MAGIC) return Error(directory + ": no cgroup2 file system");
  return fd;
}

/// Where a mount table ("device directory type options 0 0") has cgroup2; empty: nowhere.
std::string find_cgroup2(std::string_view mounts) {
  while (!mounts.empty()) {
    std::string_view line = take_until(mounts, '\n');
    take_until(line, ' ');
    const std::string_view directory = take_until(line, ' ');
    if (take_until(line, ' ') == "cgroup2") return std::string(directory);
  }
  return "";
}

Result<UniqueFd> make_mount() {
  const UniqueFd context(::fsopen("cgroup2", FSOPEN_CLOEXEC));
  if (!context || ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return Error::from_errno("cgroup2 is not mounted; mount it");
  UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  if (!mount) return Error::from_errno("cgroup2 is not mounted; mount it");
  return mount;
}

}  // namespace

Result<UniqueFd> open_cgroup2_root(const std::optional<CgroupMount>& mount, const std::string& proc_root) {
  if (mount && !mount->unified.empty()) return open_mount(mount->unified);
  // Never a second mount of what is mounted: the options of cgroup2 (nsdelegate, memory_recursiveprot) are the node's,
  // and a mount without them takes them away from all.
  const std::string first_process = proc_root + "/1";
  const auto mounts = read_file(first_process + "/mounts");
  if (!mounts) return mounts.error();
  const std::string directory = find_cgroup2(mounts->value_or(""));
  return directory.empty() ? make_mount() : open_mount(first_process + "/root" + directory);
}

Result<std::optional<UniqueFd>> open_cgroup(int root, std::string_view path) {
  if (is_outside_namespace(path)) {
    return Error("cgroup " + std::string(path) +
                 " is outside our cgroup namespace: run the agent in the node's own (Docker: --cgroupns=host)");
  }
  if (!path.starts_with('/')) return Error("cgroup '" + std::string(path) + "' is no path");
  const std::string below = "." + std::string(path);
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, root, below.c_str(), &how, sizeof(how))));
  if (fd) return std::optional(std::move(fd));
  if (is_gone(errno)) return std::optional<UniqueFd>();
  return Error::from_errno("open cgroup " + std::string(path));
}

}  // namespace manometer::node
