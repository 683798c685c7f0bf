#include "agent/requests/outermost.h"

namespace manometer::requests {
namespace {

bool has_ancestor_in(const std::set<std::string>& wanted, std::string path) {
  while (path.size() > 1) {
    path.erase(path.rfind('/'));
    if (wanted.contains(path.empty() ? "/" : path)) return true;
  }
  return false;
}

}  // namespace

std::set<std::string> outermost(const std::set<std::string>& wanted) {
  std::set<std::string> outer;
  for (const std::string& path : wanted) {
    if (!has_ancestor_in(wanted, path)) outer.insert(path);
  }
  return outer;
}

}  // namespace manometer::requests
