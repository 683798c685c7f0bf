#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace manometer::container {

/// The label `container` of a cgroup outside Kubernetes: its own name, "app.service" for "/system.slice/app.service".
/// nullopt for the root, which is no container.
std::optional<std::string> cgroup_name(std::string_view path);

}  // namespace manometer::container
