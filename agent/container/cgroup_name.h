#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace manometer::container {

/// What the path of a cgroup says about who is in it.
struct CgroupName {
  /// The cgroup as a label: "app.service" for "/system.slice/app.service". nullopt for the root, which is no container.
  std::optional<std::string> label;
  /// The cgroup that this is about. One below a pod's container is a part of that container.
  std::string path;
  /// As in the names of the kubelet's files: a UUID, of a static pod the hash of its configuration.
  std::optional<std::string> pod_uid;
  std::optional<std::string> container_id;

  bool operator==(const CgroupName&) const = default;
};

/// path: as in /proc/<pid>/cgroup, of any runtime, cgroup driver and version.
CgroupName parse_cgroup_name(std::string_view path);

}  // namespace manometer::container
