#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/node/cgroup_mount.h"

namespace manometer::test {

/// A memory cgroup of the test's own, at the root of the node's tree or in another; removed with the object, so
/// whatever runs in it must have ended.
class Cgroup {
 public:
  /// Why there can be none here, in words for a person; nullopt if there can.
  static std::optional<std::string> unavailable();

  /// Throws if it cannot be made. parent: another of them, nullptr for the root; name: one that nothing else has there,
  /// empty for any.
  explicit Cgroup(const Cgroup* parent = nullptr, const std::string& name = "");
  ~Cgroup();
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;

  const std::string& directory() const { return directory_; }
  std::string name() const;

  /// Sets its memory limit.
  void limit(uint64_t bytes) const;
  /// The number in one of its files, or that of a key in it.
  double number(const std::string& file) const;
  double number(const std::string& file, const std::string& key) const;

  static node::CgroupVersion version();

 private:
  std::string directory_;
};

}  // namespace manometer::test
