#include "tests/support/fake_node.h"

#include <fstream>
#include <sys/stat.h>

#include <fmt/format.h>

namespace manometer::test {
namespace {

constexpr std::string_view kLibjvm = "10000000-10400000 r--p 00000000 08:01 77 /usr/lib/jvm/lib/server/libjvm.so\n";
constexpr uintmax_t kMemoryBytes = 0x10400000;
constexpr std::string_view kRegion = "7f2000000000-7f2000008000";

std::string stat_of(const FakeJvm& jvm) {
  constexpr int kThreads = 20;
  return fmt::format("{} (java) S 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 {} 0 {} 0 0\n", jvm.pid, kThreads,
                     jvm.start_ticks);
}

std::filesystem::path directory_of(pid_t pid, const FakeThread& thread) {
  return fmt::format("proc/{}/task/{}", pid, thread.id);
}

uint64_t stack_of(const FakeThread& thread) {
  constexpr uint64_t kStacks = 0x7f3000000000;
  constexpr uint64_t kApart = 2U << 20U;
  return kStacks + static_cast<uint64_t>(thread.id) * kApart;
}

}  // namespace

FakeNode::FakeNode() {
  std::filesystem::create_directories(proc());
  std::filesystem::create_directories(log());
  // Tests read it as other users too.
  std::filesystem::permissions(path(), std::filesystem::perms(0755));
}

void FakeNode::add_jvm(const FakeJvm& jvm, const std::vector<std::byte>& perf_data) {
  const std::filesystem::path below = std::filesystem::path("proc") / std::to_string(jvm.pid);
  write(below / "stat", stat_of(jvm));
  write(below / "status", fmt::format("Name:\tjava\nNSpid:\t{}\t{}\n", jvm.pid, jvm.namespace_pid));
  write(below / "cgroup", jvm.cgroup);
  write(below / "mem", "");
  std::filesystem::resize_file(path() / below / "mem", kMemoryBytes);
  std::string maps(kLibjvm);
  if (!perf_data.empty()) {
    const std::string_view content(reinterpret_cast<const char*>(perf_data.data()), perf_data.size());
    write(std::filesystem::relative(perf_file(jvm.pid), path()), content);
    struct stat status {};
    ::stat(perf_file(jvm.pid).c_str(), &status);
    maps += fmt::format("{} rw-s 00000000 08:01 {} /tmp/hsperfdata_app/1\n", kRegion, status.st_ino);
    std::filesystem::create_directories(process(jvm.pid) / "map_files");
    std::filesystem::create_hard_link(perf_file(jvm.pid), process(jvm.pid) / "map_files" / kRegion);
  }
  write(below / "maps", maps);
}

void FakeNode::add_thread(pid_t pid, const FakeThread& thread) const {
  change_thread(pid, thread);
  const uint64_t stack = stack_of(thread);
  std::ofstream(process(pid) / "maps", std::ios::app)
      << fmt::format("{:x}-{:x} ---p 00000000 00:00 0 \n", stack - (thread.is_java ? 0x4000 : 0x1000), stack)
      << fmt::format("{:x}-{:x} rw-p 00000000 00:00 0 \n", stack, stack + 0x100000);
}

void FakeNode::change_thread(pid_t pid, const FakeThread& thread) const {
  const std::filesystem::path below = directory_of(pid, thread);
  write(below / "comm", thread.name + '\n');
  write(below / "stat", fmt::format("{} ({}) S 1 1 1 0 -1 4194304 0 0 0 0 {} 0 0 0 20 0 20 0 {} 0 0\n", thread.id,
                                    thread.name, thread.cpu_ticks, thread.start_ticks));
  write(below / "syscall", thread.is_running ? "running\n"
                                             : fmt::format("202 0x1 0x2 0x3 0x4 0x5 0x6 {:#x} 0x7f0000000001\n",
                                                           stack_of(thread) + 0xff000));
}

}  // namespace manometer::test
