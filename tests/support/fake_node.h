#pragma once

#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

#include "tests/support/temp_dir.h"

namespace manometer::test {

/// A JVM of a fake node.
struct FakeJvm {
  pid_t pid = 0;
  pid_t namespace_pid = 1;
  uint64_t start_ticks = 100;
  std::string cgroup = "0::/app.service\n";  // content of /proc/<pid>/cgroup
};

/// A thread of it beside those its stat counts.
struct FakeThread {
  pid_t id = 0;
  std::string name;
  uint64_t cpu_ticks = 0;
  uint64_t start_ticks = 100;
  bool is_java = false;  // which shows below its stack
  bool is_running = false;
};

/// A node made of files: proc/ as /proc, log/ as /var/log, with processes whose root and mapped files are files too,
/// and cgroup/ for a cgroup tree. What the agent reads of it is what it reads of a real one.
class FakeNode {
 public:
  FakeNode();

  std::string proc() const { return dir_.path() / "proc"; }
  std::string cgroup() const { return dir_.path() / "cgroup"; }
  std::string log() const { return dir_.path() / "log"; }
  const std::filesystem::path& path() const { return dir_.path(); }

  /// A process that maps libjvm and, unless it is empty, this region as its performance data. In its memory there is
  /// nothing but zeros.
  void add_jvm(const FakeJvm& jvm, const std::vector<std::byte>& perf_data);

  /// To a JVM that was added.
  void add_thread(pid_t pid, const FakeThread& thread) const;
  /// What became of a thread that was added.
  void change_thread(pid_t pid, const FakeThread& thread) const;

  /// Below the node's directory, making the directories above it.
  void write(const std::filesystem::path& relative, std::string_view content) const { dir_.write(relative, content); }

  std::filesystem::path process(pid_t pid) const { return dir_.path() / "proc" / std::to_string(pid); }
  std::filesystem::path root(pid_t pid) const { return process(pid) / "root"; }
  /// The performance data as the JVM's own path leads to them.
  std::filesystem::path perf_file(pid_t pid) const { return root(pid) / "tmp" / "hsperfdata_app" / "1"; }

 private:
  TempDir dir_;
};

}  // namespace manometer::test
