#include "agent/node/cgroup_origin.h"

namespace manometer::node {

bool is_outside_namespace(std::string_view path) {
  return path == "/.." || path.starts_with("/../");
}

std::string from_root(std::string_view origin, std::string_view path) {
  std::string_view above = origin;
  std::string_view below = path;
  // No cgroup is called "..", so they are at the front only.
  for (; is_outside_namespace(below); below.remove_prefix(std::string_view("/..").size())) {
    if (above.empty()) return std::string(path);
    above = above.substr(0, above.rfind('/'));
  }
  if (below == "/" && !above.empty()) below = "";
  if (above.empty() && below.empty()) below = "/";
  return std::string(above) + std::string(below);
}

}  // namespace manometer::node
