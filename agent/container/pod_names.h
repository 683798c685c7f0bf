#pragma once
// The names of a container, from what the kubelet leaves on the node. Who it is comes from its cgroup (the pod's UID
// and the container's id); three things tell names of these:
//
//   /var/log/pods/<namespace>_<pod>_<uid>/<container>/   the pod's names by its UID, and which containers it has
//   /var/log/containers/<...>-<id>.log -> the former     the container's name by its id, some time after it started;
//                                                        long names cut the id off
//   /proc/<pid>/mountinfo                                has /var/lib/kubelet/pods/<uid>/containers/<container>/<...>
//                                                        on /dev/termination-log, from before the process started
//
// The link is the node's own and decides. Until it is there, or if it is cut, the mount does; but a process can have
// mounts of its own making, so it can only take a name of its own pod, and not one that a link has given to another.
// That a pod has one container only tells nothing: its sandbox's process is no container.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/node/proc_fs.h"

namespace manometer::container {

struct PodNames {
  std::string namespace_name;
  std::string pod;
  std::optional<std::string> container;
  bool is_certain = false;  // there is no more to know: the container's name is from a link, or it is no container

  bool operator==(const PodNames&) const = default;
};

/// "<namespace>_<pod>_<uid>".
struct PodDirectory {
  std::string namespace_name;
  std::string pod;
  std::string uid;

  bool operator==(const PodDirectory&) const = default;
};
std::optional<PodDirectory> parse_pod_directory(std::string_view name);

/// "<pod>_<namespace>_<container>-<id>.log" -> ".../<pod directory>/<container>/<n>.log".
struct ContainerLink {
  PodDirectory pod;
  std::string container;
  std::string id;  // its beginning, if the link's name was cut
};
std::optional<ContainerLink> parse_container_link(std::string_view name, std::string_view to);

/// The container's name by the kubelet's mounts in a process's mountinfo. nullopt: they say none, or more than one.
std::optional<std::string> parse_mounted_container(std::string_view mountinfo, std::string_view pod_uid);

/// A container whose names are wanted.
struct Unnamed {
  std::string key;  // the caller's
  std::string pod_uid;
  std::optional<std::string> id;
  std::optional<node::Process> process;  // one of it
};

struct Named {
  std::string key;
  PodNames names;
};

/// Looks for the names of all these below log_root (/var/log). Those of which nothing is known are left out. An Error
/// if there is no such place. For the blocking pool.
Result<std::vector<Named>> find_pod_names(const std::string& log_root, const std::vector<Unnamed>& unnamed);

}  // namespace manometer::container
