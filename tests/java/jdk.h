#pragma once

#include <string>
#include <vector>

#include "agent/base/result.h"

namespace manometer::test {

/// A Java runtime in the cache (tests/java/fetch-jdk).
struct Jdk {
  int version = 0;
  std::string directory;

  /// JDK 8 is a whole Debian tree, to chroot into.
  bool is_tree() const { return version == 8; }
  /// Path of java, as seen where `root` is the runtime's directory.
  std::string java(const std::string& root) const;
};

/// Fetches it if it is not there. An Error says why it cannot be had.
Result<Jdk> fetch_jdk(int version);

/// Where the classes of Workload.java are. An Error says what was missing to compile them.
Result<std::string> workload_classes();

}  // namespace manometer::test
