#include "agent/container/cgroup_name.h"

#include <algorithm>
#include <array>
#include <vector>

#include "agent/base/text.h"

namespace manometer::container {
namespace {

constexpr std::string_view kQosClasses[] = {"burstable", "besteffort"};  // guaranteed pods are in none

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_uuid(std::string_view text) {
  constexpr size_t kLength = 36;
  if (text.size() != kLength) return false;
  for (const size_t length : {8U, 4U, 4U, 4U, 12U}) {
    const std::string_view part = take_until(text, '-');
    if (part.size() != length || !is_hex(part)) return false;
  }
  return text.empty();
}

/// What the API server and the kubelet make up; the manifest of a static pod can have anything.
bool is_usual_uid(std::string_view text) {
  constexpr size_t kHashLength = 32;
  return is_uuid(text) || (text.size() == kHashLength && is_hex(text));
}

/// In front of a pod in the kubelet's tree, if our cgroup namespace shows it.
bool is_above_pods(std::string_view name) {
  return name == "kubepods" || std::ranges::find(kQosClasses, name) != std::end(kQosClasses);
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

/// cgroupfs driver: "pod<uid>" below "kubepods" or a QoS class.
std::optional<std::string> pod_uid_of_directory(std::string_view name, std::string_view parent) {
  if (!take_prefix(name, "pod") || name.empty()) return std::nullopt;
  if (!is_usual_uid(name) && !is_above_pods(parent)) return std::nullopt;
  return std::string(name);
}

/// systemd driver: "kubepods-burstable-pod<uid with _ for ->.slice", behind what the kubelet's own root is called. In
/// containerd's "<slice>:cri-containerd:<id>", of a runtime whose driver is not the kubelet's, the id follows.
std::optional<std::string> pod_uid_of_slice(std::string_view name) {
  constexpr std::string_view kPods = "kubepods-";
  const size_t at = name.starts_with(kPods) ? 0 : name.find("-kubepods-");
  const size_t end = name.find(".slice");
  if (at == std::string_view::npos || end == std::string_view::npos || end < at) return std::nullopt;
  name = name.substr(at, end - at);
  take_prefix(name, "-");
  take_prefix(name, kPods);
  for (const std::string_view qos : kQosClasses) {
    if (name.starts_with(qos)) take_prefix(name, std::string(qos) + '-');
  }
  if (!take_prefix(name, "pod") || name.empty()) return std::nullopt;
  std::string uid(name);
  std::ranges::replace(uid, '_', '-');
  return uid;
}

/// "<id>", "cri-containerd-<id>.scope", "crio-<id>"; not "crio-conmon-<id>.scope", which is the runtime's own process.
std::optional<std::string> container_id_of(std::string_view name) {
  constexpr size_t kIdLength = 64;
  constexpr std::string_view kScope = ".scope";
  if (name.ends_with(kScope)) name.remove_suffix(kScope.size());
  if (name.size() < kIdLength) return std::nullopt;
  const std::string_view runtime = name.substr(0, name.size() - kIdLength);
  const std::string_view id = name.substr(runtime.size());
  const bool is_container = runtime.empty() || runtime.ends_with('-') || runtime.ends_with(':');
  if (!is_container || runtime.ends_with("conmon-") || !is_hex(id)) return std::nullopt;
  return std::string(id);
}

/// From the root down, each with its path.
struct Level {
  std::string_view name;
  std::string_view path;
};

std::vector<Level> levels_of(std::string_view path) {
  std::vector<Level> levels;
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view name = take_until(rest, '/');
    const auto end = static_cast<size_t>(name.data() + name.size() - path.data());
    if (!name.empty()) levels.push_back({name, path.substr(0, end)});
  }
  return levels;
}

/// The cgroup below a pod's, and the container it is. A pod in a pod (a cluster in a container) is the outer one's.
CgroupName in_pod(const std::vector<Level>& levels, size_t pod, std::string uid) {
  const Level& last = levels.back();
  CgroupName out{std::string(last.name), std::string(last.path), std::move(uid), std::nullopt};
  const size_t at = levels[pod].name.find(':') != std::string_view::npos ? pod : pod + 1;
  if (at >= levels.size()) return out;
  out.container_id = container_id_of(levels[at].name);
  if (!out.container_id) return out;
  out.label = levels[at].name;
  out.path = levels[at].path;
  return out;
}

CgroupName outside_pods(const std::vector<Level>& levels) {
  const Level& last = levels.back();
  CgroupName out{std::string(last.name), std::string(last.path), std::nullopt, container_id_of(last.name)};
  // crun and podman put a container's processes one level below its own cgroup.
  if (last.name == "container" && levels.size() > 1) {
    const Level& above = levels[levels.size() - 2];
    out.container_id = container_id_of(above.name);
    if (out.container_id) out.label = above.name;
  }
  return out;
}

}  // namespace

CgroupName parse_cgroup_name(std::string_view path) {
  const std::vector<Level> levels = levels_of(path);
  if (levels.empty() || levels.back().name == "..")
    return {std::nullopt, std::string(path), std::nullopt, std::nullopt};
  for (size_t i = 0; i < levels.size(); ++i) {
    auto uid = pod_uid_of_slice(levels[i].name);
    if (!uid) uid = pod_uid_of_directory(levels[i].name, i > 0 ? levels[i - 1].name : "");
    if (uid) return in_pod(levels, i, *std::move(uid));
  }
  return outside_pods(levels);
}

}  // namespace manometer::container
