#include "agent/node/cgroup_fs.h"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "tests/support/fake_node.h"

namespace manometer::node {
namespace {

using test::FakeNode;

MemoryUsage read(const FakeNode& fake, const std::string& path, const std::string& unified = "") {
  const auto mount = cgroup_mount_at(fake.cgroup());
  const auto cgroup = MemoryCgroup::open(**mount, path, unified);
  if (!cgroup || !*cgroup) throw std::runtime_error("no cgroup");
  const auto usage = (*cgroup)->read();
  if (!usage) throw std::runtime_error(usage.error().message());
  return **usage;
}

/// A v2 tree with /pod/app in it.
class CgroupV2 : public testing::Test {
 protected:
  CgroupV2() {
    fake_.write("cgroup/cgroup.controllers", "memory\n");
    fake_.write("cgroup/pod/memory.max", "300\n");
    put("cgroup.procs", "1\n");
    put("memory.max", "max\n");
    put("memory.current", "200\n");
    put("memory.stat", "anon 100\nfile 80\nkernel 15\nshmem 5\ninactive_file 60\npgmajfault 7\n");
    put("memory.events", "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n");
    put("memory.pressure",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=700\n");
  }

  void put(const std::string& file, std::string_view content) { fake_.write("cgroup/pod/app/" + file, content); }

  FakeNode fake_;
};

TEST_F(CgroupV2, IsRead) {
  const MemoryUsage usage = read(fake_, "/pod/app", "/pod/app");
  EXPECT_EQ(usage.usage_bytes, 200U);
  EXPECT_EQ(usage.working_set_bytes, 140U);
  EXPECT_EQ(usage.anon_bytes, 100U);
  EXPECT_EQ(usage.shmem_bytes, 5U);
  EXPECT_EQ(usage.kernel_bytes, 15U);
  EXPECT_EQ(usage.low_events, 1U);
  EXPECT_EQ(usage.high_events, 2U);
  EXPECT_EQ(usage.max_events, 3U);
  EXPECT_EQ(usage.oom_events, 4U);
  EXPECT_EQ(usage.oom_kill_events, 5U);
  EXPECT_EQ(usage.major_faults, 7U);
  ASSERT_TRUE(usage.pressure);
  EXPECT_EQ(usage.pressure->some_us, 1'500'000U);
  EXPECT_EQ(usage.pressure->full_us, 700U);
}

TEST_F(CgroupV2, TheLowestLimitOnThePathCounts) {
  EXPECT_EQ(read(fake_, "/pod/app").limit_bytes, 300U);
  put("memory.max", "250\n");
  EXPECT_EQ(read(fake_, "/pod/app").limit_bytes, 250U);
  put("memory.max", "999\n");
  EXPECT_EQ(read(fake_, "/pod/app").limit_bytes, 300U);
}

TEST_F(CgroupV2, NoLimitAnywhereIsNone) {
  fake_.write("cgroup/pod/memory.max", "max\n");
  EXPECT_FALSE(read(fake_, "/pod/app").limit_bytes);
}

TEST_F(CgroupV2, ALimitAboveTheMountIsNotRead) {
  fake_.write("memory.max", "1\n");
  EXPECT_EQ(read(fake_, "/pod/app").limit_bytes, 300U);
}

TEST_F(CgroupV2, KernelMemoryIsSummedWhereTheKernelDoesNot) {
  put("memory.stat", "anon 100\nkernel_stack 1\npagetables 2\npercpu 3\nslab 4\nsock 100\ninactive_file 60\n");
  EXPECT_EQ(read(fake_, "/pod/app").kernel_bytes, 10U);
}

TEST_F(CgroupV2, WhatTheKernelLacksIsAbsent) {
  put("memory.stat", "anon 100\n");
  put("memory.events", "max 3\n");
  const MemoryUsage usage = read(fake_, "/pod/app");
  EXPECT_FALSE(usage.shmem_bytes);
  EXPECT_FALSE(usage.working_set_bytes);
  EXPECT_FALSE(usage.kernel_bytes);
  EXPECT_FALSE(usage.oom_kill_events);
  EXPECT_FALSE(usage.pressure);
  EXPECT_FALSE(usage.major_faults);
  EXPECT_EQ(usage.max_events, 3U);
}

TEST_F(CgroupV2, WorkingSetIsNeverNegative) {
  put("memory.stat", "inactive_file 1000\n");
  EXPECT_EQ(read(fake_, "/pod/app").working_set_bytes, 0U);
}

TEST_F(CgroupV2, MalformedFilesAreErrorsThatNameThem) {
  for (const char* file : {"memory.max", "memory.current", "memory.stat", "memory.events", "memory.pressure"}) {
    const FakeNode fake;
    fake.write("cgroup/cgroup.controllers", "memory\n");
    fake.write("cgroup/app/cgroup.procs", "");
    fake.write(std::string("cgroup/app/") + file, "many\n");
    const auto usage = (*MemoryCgroup::open(**cgroup_mount_at(fake.cgroup()), "/app", "/app"))->read();
    ASSERT_FALSE(usage.ok()) << file;
    EXPECT_TRUE(usage.error().message().starts_with(file)) << usage.error().message();
  }
}

TEST_F(CgroupV2, AMalformedLimitAboveItIsAnError) {
  fake_.write("cgroup/pod/memory.max", "many\n");
  EXPECT_FALSE((*MemoryCgroup::open(**cgroup_mount_at(fake_.cgroup()), "/pod/app", ""))->read().ok());
}

TEST_F(CgroupV2, RemovedIsGone) {
  const auto cgroup = MemoryCgroup::open(**cgroup_mount_at(fake_.cgroup()), "/pod/app", "");
  std::filesystem::remove_all(fake_.path() / "cgroup/pod/app");
  const auto usage = (*cgroup)->read();
  ASSERT_TRUE(usage.ok());
  EXPECT_FALSE(usage->has_value());
  const auto again = MemoryCgroup::open(**cgroup_mount_at(fake_.cgroup()), "/pod/app", "");
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->has_value());
}

TEST_F(CgroupV2, APathOutsideOurNamespaceIsNotOpened) {
  const auto cgroup = MemoryCgroup::open(**cgroup_mount_at(fake_.cgroup()), "/../cgroup/pod/app", "");
  ASSERT_TRUE(cgroup.ok());
  EXPECT_FALSE(cgroup->has_value());
}

/// A v1 tree with a cgroup2 tree beside it.
class CgroupV1 : public testing::Test {
 protected:
  CgroupV1() {
    fake_.write("cgroup/unified/cgroup.controllers", "");
    fake_.write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("cgroup.procs", "1\n");
    put("memory.limit_in_bytes", "500\n");
    put("memory.usage_in_bytes", "200\n");
    put("memory.kmem.usage_in_bytes", "20\n");
    put("memory.failcnt", "7\n");
    put("memory.stat",
        "rss 1\ntotal_rss 100\ntotal_shmem 5\ntotal_inactive_file 60\npgmajfault 1\ntotal_pgmajfault 8\n");
    put("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  }

  void put(const std::string& file, std::string_view content) { fake_.write("cgroup/memory/app/" + file, content); }

  FakeNode fake_;
};

TEST_F(CgroupV1, IsRead) {
  const MemoryUsage usage = read(fake_, "/app", "/app");
  EXPECT_EQ(usage.usage_bytes, 200U);
  EXPECT_EQ(usage.limit_bytes, 500U);
  EXPECT_EQ(usage.working_set_bytes, 140U);
  EXPECT_EQ(usage.anon_bytes, 100U) << "with those below it";
  EXPECT_EQ(usage.shmem_bytes, 5U);
  EXPECT_EQ(usage.kernel_bytes, 20U);
  EXPECT_EQ(usage.max_events, 7U);
  EXPECT_EQ(usage.oom_kill_events, 3U);
  EXPECT_EQ(usage.major_faults, 8U) << "with those below it";
  EXPECT_FALSE(usage.high_events);
  EXPECT_FALSE(usage.oom_events);
}

TEST_F(CgroupV1, PressureIsInTheTreeBesideIt) {
  EXPECT_FALSE(read(fake_, "/app").pressure);
  fake_.write("cgroup/unified/app/memory.pressure", "some avg10=0 total=5\nfull avg10=0 total=4\n");
  EXPECT_EQ(read(fake_, "/app", "/app").pressure->some_us, 5U);
  fake_.write("cgroup/unified/memory.pressure", "some avg10=0 total=7\nfull avg10=0 total=6\n");
  EXPECT_FALSE(read(fake_, "/app", "/").pressure);  // the whole machine's
}

TEST_F(CgroupV1, NearlyTwoToThe63IsNoLimit) {
  put("memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_FALSE(read(fake_, "/app").limit_bytes);
}

TEST_F(CgroupV1, TheLowestLimitOnThePathCounts) {
  fake_.write("cgroup/memory/memory.limit_in_bytes", "400\n");
  EXPECT_EQ(read(fake_, "/app").limit_bytes, 400U) << "the root's own, which v1 has";
}

TEST_F(CgroupV1, WhatTheKernelLacksIsAbsent) {
  for (const char* file : {"memory.kmem.usage_in_bytes", "memory.failcnt", "memory.oom_control"})
    std::filesystem::remove(fake_.path() / "cgroup/memory/app" / file);
  const MemoryUsage usage = read(fake_, "/app");
  EXPECT_FALSE(usage.kernel_bytes) << "cgroup.memory=nokmem";
  EXPECT_FALSE(usage.max_events);
  EXPECT_FALSE(usage.oom_kill_events);
  EXPECT_EQ(usage.usage_bytes, 200U);
}

TEST_F(CgroupV1, MalformedFilesAreErrorsThatNameThem) {
  for (const char* file : {"memory.limit_in_bytes", "memory.usage_in_bytes", "memory.kmem.usage_in_bytes",
                           "memory.failcnt", "memory.stat", "memory.oom_control"}) {
    const FakeNode fake;
    fake.write("cgroup/memory/app/cgroup.procs", "");
    fake.write(std::string("cgroup/memory/app/") + file, "many\n");
    const auto usage = (*MemoryCgroup::open(**cgroup_mount_at(fake.cgroup()), "/app", ""))->read();
    ASSERT_FALSE(usage.ok()) << file;
    EXPECT_TRUE(usage.error().message().starts_with(file)) << usage.error().message();
  }
}

TEST_F(CgroupV1, OneMadeAnewUnderTheSameNameIsAnother) {
  const auto held = MemoryCgroup::open(**cgroup_mount_at(fake_.cgroup()), "/app", "");
  std::filesystem::remove_all(fake_.path() / "cgroup/memory/app");
  put("cgroup.procs", "1\n");
  EXPECT_FALSE((*held)->read()->has_value());
  const auto anew = MemoryCgroup::open(**cgroup_mount_at(fake_.cgroup()), "/app", "");
  EXPECT_TRUE((*anew)->read()->has_value());
}

TEST_F(CgroupV1, TheRootHasALimitOfItsOwn) {
  fake_.write("cgroup/memory/cgroup.procs", "");
  EXPECT_FALSE(read(fake_, "/").limit_bytes);
  fake_.write("cgroup/memory/memory.limit_in_bytes", "7\n");
  EXPECT_EQ(read(fake_, "/").limit_bytes, 7U);
}

TEST(MemoryCgroupId, IsTheInodeOfARealCgroup) {
  const auto mount = find_cgroup_mount();
  ASSERT_TRUE(mount.ok() && *mount);
  const auto root = MemoryCgroup::open(**mount, "/", "");
  ASSERT_TRUE(root.ok() && *root);
  struct stat status {};
  ASSERT_EQ(::stat((*mount)->memory.c_str(), &status), 0);
  EXPECT_EQ((*root)->id(), status.st_ino);
}

TEST(MemoryCgroupId, FilesHaveNone) {
  const FakeNode fake;
  fake.write("cgroup/cgroup.controllers", "memory\n");
  fake.write("cgroup/app/memory.stat", "");
  EXPECT_FALSE((*MemoryCgroup::open(**cgroup_mount_at(fake.cgroup()), "/app", ""))->id());
}

TEST(CgroupMountAt, FindsTheCgroup2TreeBesideAV1Mount) {
  const FakeNode hybrid;
  hybrid.write("cgroup/memory/tasks", "");
  hybrid.write("cgroup/unified/cgroup.controllers", "");
  const auto mount = cgroup_mount_at(hybrid.cgroup());
  EXPECT_EQ((*mount)->memory, hybrid.cgroup() + "/memory");
  EXPECT_EQ((*mount)->unified, hybrid.cgroup() + "/unified");
}

TEST(CgroupMountAt, AFileIsNoTree) {
  const FakeNode node;
  node.write("cgroup", "");
  EXPECT_FALSE(cgroup_mount_at(node.cgroup()).ok());
}

TEST(CgroupMountAt, TellsTheVersions) {
  const FakeNode v1;
  v1.write("cgroup/memory/tasks", "");
  EXPECT_EQ((*cgroup_mount_at(v1.cgroup()))->version, CgroupVersion::kV1);
  EXPECT_TRUE((*cgroup_mount_at(v1.cgroup()))->unified.empty());
  const FakeNode v2;
  v2.write("cgroup/cgroup.controllers", "memory\n");
  EXPECT_EQ((*cgroup_mount_at(v2.cgroup()))->version, CgroupVersion::kV2);
  const FakeNode none;
  none.write("cgroup/cpu/tasks", "");
  EXPECT_FALSE((*cgroup_mount_at(none.cgroup())).has_value());
  EXPECT_FALSE(cgroup_mount_at("/nonexistent").ok());
}

TEST(FindCgroupMount, FindsThisMachinesMemoryController) {
  const auto mount = find_cgroup_mount();
  ASSERT_TRUE(mount.ok()) << mount.error().message();
  ASSERT_TRUE(mount->has_value());
  const std::string limit = (*mount)->version == CgroupVersion::kV1 ? "/memory.limit_in_bytes" : "/cgroup.controllers";
  EXPECT_TRUE(std::filesystem::exists((*mount)->memory + limit));
}

TEST(ParseLimit, TakesNumbersAndMax) {
  EXPECT_EQ(*parse_limit("42\n"), 42U);
  EXPECT_EQ(*parse_limit("0\n"), 0U);
  EXPECT_EQ(*parse_limit("4611686018427387903\n"), (1ULL << 62U) - 1);
  EXPECT_FALSE(parse_limit("4611686018427387904\n")->has_value()) << "2^62: more than any machine has";
  EXPECT_FALSE(parse_limit("max\n")->has_value());
  EXPECT_FALSE(parse_limit("-1\n").ok());
  EXPECT_FALSE(parse_limit("").ok());
}

}  // namespace
}  // namespace manometer::node
