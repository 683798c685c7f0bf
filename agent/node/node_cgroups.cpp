#include "agent/node/node_cgroups.h"

#include <deque>
#include <filesystem>
#include <unistd.h>

#include "agent/base/text.h"
#include "agent/node/proc_fs.h"
#include "agent/node/read_file.h"

namespace manometer::node {
namespace {

/// A process's cgroups as we are told them; empty where we are not.
struct Paths {
  std::string memory;
  std::string unified;
};

Paths paths_of(const std::string& process) {
  Paths paths;
  const auto text = read_file(process + "/cgroup");
  if (!text || !*text) return paths;
  const auto lines = parse_cgroup(**text);
  if (!lines) return paths;
  for (const CgroupLine& line : *lines) {
    if (line.has("memory")) paths.memory = line.path;
    if (line.is_unified()) paths.unified = line.path;
  }
  return paths;
}

/// "31 23 0:28 /root /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate"
struct Mount {
  std::string directory;
  std::string type;
  std::string options;
};

Mount parse_mount(std::string_view line) {
  Mount mount;
  constexpr int kFieldsBefore = 4;
  for (int field = 0; field < kFieldsBefore; ++field) take_until(line, ' ');
  mount.directory = take_until(line, ' ');
  const size_t end = line.find(" - ");
  if (end == std::string_view::npos) return {};
  line.remove_prefix(end + 3);
  mount.type = take_until(line, ' ');
  take_until(line, ' ');
  mount.options = line;
  return mount;
}

/// What process 1 has mounted, if we may go there.
std::optional<CgroupMount> mount_of_first_process(const std::string& proc_root) {
  const std::string first = proc_root + "/1";
  const auto mountinfo = read_file(first + "/mountinfo");
  if (!mountinfo || !*mountinfo) return std::nullopt;
  auto mount = parse_cgroup_mounts(**mountinfo);
  if (!mount) return std::nullopt;
  for (std::string* directory : {&mount->memory, &mount->unified}) {
    if (!directory->empty()) directory->insert(0, first + "/root");
  }
  const bool usable = ::access((mount->memory + "/cgroup.procs").c_str(), R_OK) == 0;
  return usable ? mount : std::nullopt;
}

/// Where our namespace begins in the tree below root. first, own: the paths of process 1 and of us, as we are told.
/// nullopt: that tree does not show it.
std::optional<std::string> find_origin(const std::string& root, const std::string& first, const std::string& own) {
  if (!is_outside_namespace(first)) return "";
  auto origin = find_cgroup_of(::getpid(), root);
  const std::string below = own == "/" ? "" : own;
  if (!origin || !origin->ends_with(below)) return std::nullopt;
  origin->resize(origin->size() - below.size());
  // A mount that begins where our namespace does shows no more than that.
  return origin->empty() || *origin == "/" ? std::nullopt : origin;
}

/// What there is to see by a mount.
NodeCgroups look_into(std::optional<CgroupMount> mount, const Paths& first, const Paths& own) {
  if (!mount) return {};
  std::optional<std::string> memory = "";
  std::optional<std::string> unified = "";
  if (mount->version == CgroupVersion::kV1) memory = find_origin(mount->memory, first.memory, own.memory);
  if (!mount->unified.empty()) unified = find_origin(mount->unified, first.unified, own.unified);
  NodeCgroups cgroups{std::move(mount), {memory.value_or(""), unified.value_or("")}, std::nullopt};
  if (memory && unified) return cgroups;
  cgroups.hidden = "the agent's cgroup namespace hides the node's cgroups, and " + cgroups.mount->memory +
                   " does not show them: let the agent see the node's processes (hostPID) with CAP_SYS_PTRACE, or "
                   "mount the node's /sys/fs/cgroup and name it with --host-cgroup";
  return cgroups;
}

}  // namespace

std::optional<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo) {
  std::string memory;
  std::string unified;
  while (!mountinfo.empty()) {
    const Mount mount = parse_mount(take_until(mountinfo, '\n'));
    if (mount.type == "cgroup2" && unified.empty()) unified = mount.directory;
    if (mount.type == "cgroup" && memory.empty() && has_word(mount.options, ',', "memory")) memory = mount.directory;
  }
  if (!memory.empty()) return CgroupMount{memory, CgroupVersion::kV1, unified};
  if (!unified.empty()) return CgroupMount{unified, CgroupVersion::kV2, unified};
  return std::nullopt;
}

std::optional<std::string> find_cgroup_of(pid_t pid, const std::string& root) {
  // More than a node has; a container that may make cgroups must not keep us.
  constexpr size_t kMost = 50'000;
  std::deque<std::string> left{""};
  for (size_t looked = 0; !left.empty() && looked < kMost; ++looked) {
    const std::string path = std::move(left.front());
    left.pop_front();
    const auto pids = read_file(root + path + "/cgroup.procs");
    if (pids && *pids && has_word(**pids, '\n', std::to_string(pid))) return path.empty() ? "/" : path;
    std::error_code error;  // it may be gone
    for (std::filesystem::directory_iterator at(root + path, error), end; !error && at != end; at.increment(error)) {
      std::error_code ignored;
      if (at->is_directory(ignored)) left.push_back(path + '/' + at->path().filename().string());
    }
  }
  return std::nullopt;
}

Result<NodeCgroups> find_node_cgroups(const HostPaths& host) {
  const Paths first = paths_of(host.proc + "/1");
  const bool have_own_namespace = is_outside_namespace(first.memory) || is_outside_namespace(first.unified);
  const Paths own = have_own_namespace ? paths_of(host.proc + "/self") : Paths{};
  if (have_own_namespace && host.cgroup.empty()) {
    auto cgroups = look_into(mount_of_first_process(host.proc), first, own);
    if (cgroups.mount && !cgroups.hidden) return cgroups;
  }
  auto mount = host.cgroup.empty() ? find_cgroup_mount() : cgroup_mount_at(host.cgroup);
  if (!mount) return std::move(mount).error();
  return look_into(*std::move(mount), first, own);
}

}  // namespace manometer::node
