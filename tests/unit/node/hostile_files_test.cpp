// Files that cannot be read, block, or belong to what ended; rights that are missing.

#include <array>
#include <csignal>
#include <cstddef>
#include <fcntl.h>
#include <filesystem>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/node/capabilities.h"
#include "agent/node/cgroup_fs.h"
#include "agent/node/process_memory.h"
#include "agent/node/read_file.h"
#include "tests/support/fake_node.h"
#include "tests/support/temp_dir.h"
#include "tests/support/without_root.h"

namespace manometer::node {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(ReadFile, WhatIsExactlyAtTheLimitIsRead) {
  const test::TempDir dir;
  dir.write("file", std::string(50'000, 'x'));
  EXPECT_EQ((*read_file_at(AT_FDCWD, dir.path() / "file", 50'000))->size(), 50'000U);
  EXPECT_FALSE(read_file_at(AT_FDCWD, dir.path() / "file", 49'999).ok());
}

TEST(ReadFile, AnEmptyFileIsThere) {
  const test::TempDir dir;
  dir.write("empty", "");
  EXPECT_EQ(**read_file(dir.path() / "empty"), "");
}

TEST(ReadFile, WhatIsNotADirectoryOnTheWayIsGone) {
  const test::TempDir dir;
  dir.write("file", "");
  const auto text = read_file(dir.path() / "file" / "below");
  ASSERT_TRUE(text.ok());
  EXPECT_FALSE(text->has_value());
}

TEST(ReadFile, AFifoDoesNotBlock) {
  const test::TempDir dir;
  ASSERT_EQ(::mkfifo((dir.path() / "fifo").c_str(), 0666), 0);
  EXPECT_EQ(**read_file(dir.path() / "fifo"), "");
}

TEST(ReadFile, WhatMayNotBeReadIsAnErrorWithItsNumber) {
  const test::TempDir dir;
  dir.write("secret", "");
  fs::permissions(dir.path(), fs::perms(0755));
  fs::permissions(dir.path() / "secret", fs::perms::none);
  EXPECT_TRUE(test::without_root([&] {
    const auto text = read_file(dir.path() / "secret");
    return !text && text.error().number() == EACCES && text.error().message().starts_with("open ");
  }));
}

TEST(ReadFile, TheParsersErrorNamesTheFile) {
  const test::TempDir dir;
  dir.write("memory.pressure", "garbage");
  const auto psi = read_and_parse(AT_FDCWD, dir.path() / "memory.pressure", parse_psi);
  ASSERT_FALSE(psi.ok());
  EXPECT_THAT(psi.error().message(), HasSubstr("memory.pressure: malformed pressure file"));
}

TEST(HasCapability, IsFalseWithoutRoot) {
  EXPECT_TRUE(test::without_root([] {
    for (const auto capability : {Capability::kDacReadSearch, Capability::kNetAdmin, Capability::kSysPtrace,
                                  Capability::kPerfmon, Capability::kBpf, Capability::kCheckpointRestore}) {
      const auto has = has_capability(capability);
      if (!has || *has) return false;
    }
    return true;
  }));
}

/// A child of ours that waits, then becomes another program.
TEST(ProcessMemoryTest, IsThatOfTheProgramThatRanWhenItWasOpened) {
  int go[2];
  int gone[2];
  ASSERT_EQ(::pipe2(go, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(gone, O_CLOEXEC), 0);
  const int value = 5;
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    if (::read(go[0], &byte, 1) == 1) ::execlp("sleep", "sleep", "600", nullptr);
    ::_exit(1);
  }
  ::close(gone[1]);
  const auto memory = ProcessMemory::open(**ProcFs::open("/proc")->process(child));
  ASSERT_TRUE(memory.ok() && memory->has_value());
  EXPECT_EQ(*(*memory)->read<int>(reinterpret_cast<uint64_t>(&value)), 5);
  char byte = 0;
  EXPECT_EQ(::write(go[1], &byte, 1), 1);
  EXPECT_EQ(::read(gone[0], &byte, 1), 0) << "its end is closed by exec";
  EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), 0) << "it runs";
  EXPECT_FALSE((*memory)->read<int>(reinterpret_cast<uint64_t>(&value)).ok());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  for (const int fd : {go[0], go[1], gone[0]}) ::close(fd);
}

TEST(ProcessMemoryTest, OfAProcessThatIsGoneIsNone) {
  const test::FakeNode node;
  fs::create_directories(node.process(7));
  const auto memory = ProcessMemory::open(**ProcFs::open(node.proc())->process(7));
  ASSERT_TRUE(memory.ok());
  EXPECT_FALSE(memory->has_value());
}

/// From now on, opening a file below this directory answers EOPNOTSUPP.
bool refuse_files_below(int directory) {
  const auto number = static_cast<uint32_t>(directory);
  std::array program{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0])),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/// The descriptor of an open directory.
int descriptor_of(const fs::path& directory) {
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;  // the iterator's own descriptor
    if (fs::read_symlink(entry.path(), ignored) == directory) return std::stoi(entry.path().filename());
  }
  return -1;
}

TEST(CgroupPressure, SwitchedOffInTheKernelIsAbsentNotAnError) {
  const test::FakeNode node;
  node.write("cgroup/memory/app/cgroup.procs", "");
  node.write("cgroup/memory/app/memory.usage_in_bytes", "5\n");
  node.write("cgroup/unified/cgroup.controllers", "");
  node.write("cgroup/unified/app/memory.pressure", "some total=1\nfull total=1\n");
  for (const auto& entry : fs::recursive_directory_iterator(node.path())) fs::permissions(entry, fs::perms(0755));
  EXPECT_TRUE(test::without_root([&] {
    const auto cgroup = MemoryCgroup::open(**cgroup_mount_at(node.cgroup()), "/app", "/app");
    if (!(*cgroup)->read()->value().pressure) return false;
    if (!refuse_files_below(descriptor_of(node.path() / "cgroup/unified/app"))) return false;
    const auto usage = (*cgroup)->read();
    return usage.ok() && usage->has_value() && !(*usage)->pressure && (*usage)->usage_bytes == 5;
  }));
}

TEST(CgroupPressure, ThatMayNotBeReadIsAnError) {
  const test::FakeNode node;
  node.write("cgroup/cgroup.controllers", "memory\n");
  node.write("cgroup/app/cgroup.procs", "");
  node.write("cgroup/app/memory.pressure", "");
  for (const auto& entry : fs::recursive_directory_iterator(node.path())) fs::permissions(entry, fs::perms(0755));
  fs::permissions(node.path() / "cgroup/app/memory.pressure", fs::perms::none);
  EXPECT_TRUE(test::without_root([&] {
    const auto cgroup = MemoryCgroup::open(**cgroup_mount_at(node.cgroup()), "/app", "/app");
    const auto usage = (*cgroup)->read();
    return !usage && usage.error().number() == EACCES;
  }));
}

}  // namespace
}  // namespace manometer::node
