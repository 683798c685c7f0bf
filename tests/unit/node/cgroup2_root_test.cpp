// The root of the real cgroup2 tree, however it is reached.

#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/node/cgroup2.h"
#include "agent/node/read_file.h"
#include "tests/support/skip.h"
#include "tests/support/temp_dir.h"
#include "tests/support/without_root.h"

namespace manometer::node {
namespace {

using testing::HasSubstr;

std::string mount_table() {
  return read_file("/proc/self/mountinfo")->value();
}

/// Which directory, and by which mount of its file system.
std::pair<uint64_t, uint64_t> identity(int fd) {
  struct statx status {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &status) != 0) return {};
  return {status.stx_ino, status.stx_mnt_id};
}

/// True if the kernel takes it for a cgroup that programs can be attached to.
bool takes_programs(int cgroup) {
  __u32 flags = 0;
  __u32 count = 0;
  return ::bpf_prog_query(cgroup, BPF_CGROUP_INET_INGRESS, 0, &flags, nullptr, &count) == 0;
}

/// The mount of the node's own tree, which libcgroup finds.
std::optional<CgroupMount> node_mount() {
  const auto mount = find_cgroup_mount();
  return mount && *mount && !(*mount)->unified.empty() ? *mount : std::nullopt;
}

TEST(OpenCgroup2Root, TakesTheMountThatTheNodeHas) {
  const auto mount = node_mount();
  if (!mount) MANOMETER_SKIP("needs a mounted cgroup2 tree");
  const auto root = open_cgroup2_root(mount, "/nowhere");
  ASSERT_TRUE(root.ok()) << root.error().message();
  EXPECT_TRUE(takes_programs(root->get()));
}

TEST(OpenCgroup2Root, TakesTheMountOfTheFirstProcess) {
  const auto mount = node_mount();
  if (!mount) MANOMETER_SKIP("needs a mounted cgroup2 tree");
  const test::TempDir proc;
  proc.write("1/mounts", "tmpfs /run tmpfs rw 0 0\ncgroup2 " + mount->unified + " cgroup2 rw,nsdelegate 0 0\n");
  std::filesystem::create_directory_symlink("/", proc.path() / "1/root");
  const std::string before = mount_table();
  const CgroupMount without_unified{mount->memory, mount->version, ""};
  for (const auto& known : {std::optional<CgroupMount>(), std::optional(without_unified)}) {
    const auto root = open_cgroup2_root(known, proc.path());
    ASSERT_TRUE(root.ok()) << root.error().message();
    EXPECT_EQ(identity(root->get()), identity(open_cgroup2_root(mount, "/nowhere")->get()));
    EXPECT_TRUE(takes_programs(root->get()));
  }
  EXPECT_EQ(mount_table(), before);
}

/// Makes a cgroup through a mount of our own and finds it. In a cgroup namespace of its own, where a mount leaves the
/// options of the node's tree alone.
int use_a_mount_of_our_own(const std::string& proc_root) {
  if (::unshare(CLONE_NEWCGROUP) != 0) return 2;
  const std::string before = mount_table();
  const auto root = open_cgroup2_root(std::nullopt, proc_root);
  if (!root) {
    std::fputs(root.error().message().c_str(), stderr);
    return 3;
  }
  if (!takes_programs(root->get()) || mount_table() != before) return 4;
  const std::string name = "manometer-test-" + std::to_string(::getpid());
  if (::mkdirat(root->get(), name.c_str(), 0755) != 0) return 5;
  auto cgroup = open_cgroup(root->get(), "/" + name);
  const bool found = cgroup && *cgroup && takes_programs((*cgroup)->get());
  if (::unlinkat(root->get(), name.c_str(), AT_REMOVEDIR) != 0) return 6;
  const auto removed = open_cgroup(root->get(), "/" + name);
  return found && removed && !*removed ? 0 : 7;
}

TEST(OpenCgroup2Root, MountsTheTreeForItselfWhereNobodyHasIt) {
  const test::TempDir proc;
  proc.write("1/mounts", "proc /proc proc rw 0 0\n");
  const std::string before = mount_table();
  EXPECT_EXIT(::_exit(use_a_mount_of_our_own(proc.path())), testing::ExitedWithCode(0), "");
  EXPECT_EQ(mount_table(), before);
}

TEST(OpenCgroup2Root, SaysThatItMayNotMount) {
  EXPECT_TRUE(test::without_root([&] {
    const auto root = open_cgroup2_root(std::nullopt, "/nowhere");
    return !root && root.error().message() == "cgroup2 is not mounted; mount it: Operation not permitted";
  }));
}

TEST(OpenCgroup2Root, TakesNothingElseForIt) {
  const test::TempDir other;
  const auto root = open_cgroup2_root(CgroupMount{"", CgroupVersion::kV2, other.path()}, "/proc");
  ASSERT_FALSE(root.ok());
  EXPECT_THAT(root.error().message(), HasSubstr(other.path().string()));
  EXPECT_FALSE(open_cgroup2_root(CgroupMount{"", CgroupVersion::kV2, other.path() / "gone"}, "/proc").ok());
}

}  // namespace
}  // namespace manometer::node
