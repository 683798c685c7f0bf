#include "agent/node/cgroup_mount.h"

#include <filesystem>
#include <libcgroup.h>
#include <memory>

namespace manometer::node {
namespace {

bool is_cgroup2(const std::filesystem::path& directory) {
  std::error_code ignored;  // any error means that it cannot be used
  return std::filesystem::exists(directory / "cgroup.controllers", ignored);
}

/// memory is a v1 mount; in systemd's hybrid layout the cgroup2 tree is mounted beside it.
CgroupMount v1_mount(const std::filesystem::path& memory) {
  const std::filesystem::path unified = memory.parent_path() / "unified";
  return {memory, CgroupVersion::kV1, is_cgroup2(unified) ? unified.string() : ""};
}

}  // namespace

Result<std::optional<CgroupMount>> find_cgroup_mount() {
  if (const int code = ::cgroup_init(); code == ECGROUPNOTMOUNTED) {
    return std::optional<CgroupMount>();
  } else if (code != 0) {
    return Error(std::string("find cgroup mounts: ") + ::cgroup_strerror(code));
  }
  char* found = nullptr;
  const int code = ::cgroup_get_subsys_mount_point("memory", &found);
  const std::unique_ptr<char, void (*)(void*)> mount(found, std::free);
  if (code == ECGROUPNOTEXIST) return std::optional<CgroupMount>();
  if (code != 0) return Error(std::string("find the memory controller: ") + ::cgroup_strerror(code));
  const std::string memory = mount.get();
  if (is_cgroup2(memory)) return std::optional<CgroupMount>({memory, CgroupVersion::kV2, memory});
  return std::optional<CgroupMount>(v1_mount(memory));
}

Result<std::optional<CgroupMount>> cgroup_mount_at(const std::string& root) {
  std::error_code error;
  if (!std::filesystem::is_directory(root, error)) return Error(root + ": not a directory");
  if (is_cgroup2(root)) return std::optional<CgroupMount>({root, CgroupVersion::kV2, root});
  const std::filesystem::path memory = std::filesystem::path(root) / "memory";
  if (!std::filesystem::is_directory(memory, error)) return std::optional<CgroupMount>();
  return std::optional<CgroupMount>(v1_mount(memory));
}

}  // namespace manometer::node
