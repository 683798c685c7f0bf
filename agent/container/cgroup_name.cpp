#include "agent/container/cgroup_name.h"

namespace manometer::container {

std::optional<std::string> cgroup_name(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (name.empty() || name == "..") return std::nullopt;
  return std::string(name);
}

}  // namespace manometer::container
