#pragma once

#include <set>
#include <string>

namespace manometer::requests {

/// Of these cgroup paths ("/a/b", the root is "/") those that lie below no other of them. A program on one of those
/// sees what happens in all the cgroups below it; on two it would see it twice.
std::set<std::string> outermost(const std::set<std::string>& wanted);

}  // namespace manometer::requests
