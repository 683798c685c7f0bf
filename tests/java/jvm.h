#pragma once

#include <string>
#include <vector>

#include "tests/java/gc_log.h"
#include "tests/java/jdk.h"
#include "tests/java/report.h"
#include "tests/support/agent.h"
#include "tests/support/child.h"
#include "tests/support/temp_dir.h"

namespace manometer::test {

/// What a process has become by forking (unshare, nsenter): its child, and that one's.
pid_t last_descendant(pid_t pid);

/// How a JVM is started. As it stands, it runs as any program would; JDK 8, which is a chroot tree, and whatever asks
/// for mounts, a user or pids of its own runs in a mount namespace with a /tmp of its own.
struct JvmSetup {
  std::vector<std::string> options = {};  // of java
  /// Command that becomes the JVM: "nsenter ...". First of all, so that the rest happens in there.
  std::vector<std::string> launcher = {};
  std::string cgroup = {};     // directory of the cgroup to run in
  bool pid_namespace = false;  // one of its own, where it is pid 1
  std::string tmp = {};        // directory that becomes its /tmp
  std::string mounts = {};     // shell commands that change its mounts
  std::string user = {};       // uid, and gid too
  bool gc_log = false;         // for safepoints(), after its end
};

/// A JVM that runs Workload.java. It ends with the object.
class Jvm {
 public:
  /// Throws if it cannot be started; does not wait until it is up.
  Jvm(const Jdk& jdk, const JvmSetup& setup);
  ~Jvm();
  Jvm(const Jvm&) = delete;
  Jvm& operator=(const Jvm&) = delete;

  /// Gives it a command of Workload.java and waits until it is done; what it answered. Throws with what it said
  /// instead.
  std::string command(const std::string& line);
  Report report() { return parse_report(command("report")); }

  Child& child() { return child_; }
  /// Its pid as this test sees it. The JVM must be up, unless it runs without namespaces.
  pid_t pid() const;
  void signal(int number) const;
  /// Labels of its series: its pid in its own namespace, and its cgroup if it was given one.
  LabelMap labels() const;

  /// Lets it end as programs do; its exit code.
  int end();
  /// All its stops. Only after its end: JDK 8 does not write them earlier.
  std::vector<Safepoint> safepoints() const;
  /// The same for the waits for memory of its threads.
  std::vector<Stall> stalls() const;

 private:
  std::string gc_log() const;

  JvmSetup setup_;
  TempDir work_;
  Child child_;
};

}  // namespace manometer::test
