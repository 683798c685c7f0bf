#pragma once

#include <string>
#include <vector>

#include "agent/base/result.h"
#include "tests/support/temp_dir.h"

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

/// A copy of a JDK whose libjvm went through this command.
class ChangedJdk {
 public:
  /// Throws if the command fails.
  ChangedJdk(const Jdk& jdk, std::vector<std::string> command);

  const Jdk& jdk() const { return jdk_; }

 private:
  TempDir copy_;
  Jdk jdk_;
};

/// Fetches it if it is not there. An Error says why it cannot be had.
Result<Jdk> fetch_jdk(int version);

/// Where the classes of Workload.java are. An Error says what was missing to compile them.
Result<std::string> workload_classes();

}  // namespace manometer::test
