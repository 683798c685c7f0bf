// Where the node's cgroups are, on trees of files; JvmContainer.IsMeasuredByAnAgentInAContainer does it for real.

#include "agent/node/node_cgroups.h"

#include <filesystem>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/node/proc_fs.h"
#include "tests/support/fake_node.h"

namespace manometer::node {
namespace {

namespace fs = std::filesystem;

TEST(FromRoot, PutsWhatIsAboveInFront) {
  EXPECT_EQ(from_root("/a/b", "/"), "/a/b");
  EXPECT_EQ(from_root("/a/b", "/x"), "/a/b/x");
  EXPECT_EQ(from_root("/a/b", "/.."), "/a");
  EXPECT_EQ(from_root("/a/b", "/../x/y"), "/a/x/y");
  EXPECT_EQ(from_root("/a/b", "/../.."), "/");
  EXPECT_EQ(from_root("/a/b", "/../../x"), "/x");
  EXPECT_EQ(from_root("/a/b", "/..x/.."), "/a/b/..x/..") << "a name, and what no cgroup is called";
}

TEST(FromRoot, LeavesWhatItCannotTell) {
  EXPECT_EQ(from_root("", "/a"), "/a");
  EXPECT_EQ(from_root("", "/"), "/");
  EXPECT_EQ(from_root("", "/../a"), "/../a");
  EXPECT_EQ(from_root("/a", "/../../b"), "/../../b") << "above the root of the tree";
}

TEST(ParseCgroupMounts, FindsTheMemoryController) {
  const auto v2 = parse_cgroup_mounts(
      "30 24 0:26 /../../.. /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
      "31 24 0:27 / /proc rw - proc proc rw\n");
  ASSERT_TRUE(v2);
  EXPECT_EQ(v2->memory, "/sys/fs/cgroup");
  EXPECT_EQ(v2->unified, "/sys/fs/cgroup");
  EXPECT_EQ(v2->version, CgroupVersion::kV2);
  const auto hybrid = parse_cgroup_mounts(
      "33 32 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
      "34 32 0:31 / /sys/fs/cgroup/memory_pressure rw - cgroup cgroup rw,hugetlb\n"
      "35 32 0:32 /.. /sys/fs/cgroup/memory rw,relatime shared:9 master:2 - cgroup cgroup rw,memory\n");
  ASSERT_TRUE(hybrid);
  EXPECT_EQ(hybrid->memory, "/sys/fs/cgroup/memory");
  EXPECT_EQ(hybrid->unified, "/sys/fs/cgroup/unified");
  EXPECT_EQ(hybrid->version, CgroupVersion::kV1);
}

TEST(ParseCgroupMounts, FindsNoneWhereThereIsNone) {
  EXPECT_FALSE(parse_cgroup_mounts(""));
  EXPECT_FALSE(parse_cgroup_mounts("1\n\n - \n1 2 3 4 5 -\n34 32 0:31 / /x rw - cgroup cgroup rw,pids\n"));
}

TEST(FindCgroupOf, LooksIntoTheWholeTree) {
  const test::TempDir tree;
  tree.write("cgroup.procs", "1\n");
  tree.write("a/cgroup.procs", "42\n143\n");
  tree.write("a/b/c/cgroup.procs", "12\n43\n");
  EXPECT_EQ(find_cgroup_of(1, tree.path()), "/");
  EXPECT_EQ(find_cgroup_of(42, tree.path()), "/a");
  EXPECT_EQ(find_cgroup_of(43, tree.path()), "/a/b/c");
  EXPECT_FALSE(find_cgroup_of(2, tree.path()));
  EXPECT_FALSE(find_cgroup_of(2, tree.path() / "gone"));
}

/// A node of files on which this process is in the cgroup /pods/agent and calls that the root.
class NodeCgroupsTest : public testing::Test {
 protected:
  NodeCgroupsTest() {
    node_.write("proc/1/cgroup", "0::/../../init\n");
    node_.write("proc/self/cgroup", "0::/\n");
    node_.write("proc/7/cgroup", "9:pids:/../other\n0::/../other\n");
    add_tree("cgroup");
  }

  void add_tree(const std::string& root) const {
    node_.write(root + "/cgroup.controllers", "memory\n");
    node_.write(root + "/cgroup.procs", "");
    node_.write(root + "/pods/agent/cgroup.procs", std::to_string(::getpid()) + "\n");
  }

  std::string path_of_other(const NodeCgroups& cgroups) const {
    auto proc = *ProcFs::open(node_.proc());
    proc.set_cgroup_origins(cgroups.origins);
    return (*proc.cgroup(**proc.process(7)))->back().path;
  }

  test::FakeNode node_;
};

TEST_F(NodeCgroupsTest, AreSeenWhereTheFlagSays) {
  const auto cgroups = find_node_cgroups({.proc = node_.proc(), .cgroup = node_.cgroup()});
  ASSERT_TRUE(cgroups.ok());
  EXPECT_EQ(cgroups->mount->memory, node_.cgroup());
  EXPECT_EQ(cgroups->origins.unified, "/pods/agent");
  EXPECT_FALSE(cgroups->hidden);
  EXPECT_EQ(path_of_other(*cgroups), "/pods/other");
}

TEST_F(NodeCgroupsTest, AreSeenWhereProcess1HasThem) {
  node_.write("proc/1/mountinfo", "30 24 0:26 /../.. /sys/cg rw - cgroup2 cgroup2 rw\n");
  add_tree("proc/1/root/sys/cg");
  const auto cgroups = find_node_cgroups({.proc = node_.proc(), .cgroup = ""});
  ASSERT_TRUE(cgroups.ok());
  EXPECT_EQ(cgroups->mount->memory, node_.proc() + "/1/root/sys/cg");
  EXPECT_EQ(cgroups->origins.unified, "/pods/agent");
  EXPECT_FALSE(cgroups->hidden);
}

TEST_F(NodeCgroupsTest, AreRelativeToWhereTheAgentIsInItsNamespace) {
  node_.write("proc/self/cgroup", "0::/agent\n");
  EXPECT_EQ(find_node_cgroups({.proc = node_.proc(), .cgroup = node_.cgroup()})->origins.unified, "/pods");
  node_.write("proc/self/cgroup", "0::/../elsewhere\n");
  EXPECT_TRUE(find_node_cgroups({.proc = node_.proc(), .cgroup = node_.cgroup()})->hidden);
}

TEST_F(NodeCgroupsTest, AreHiddenByAMountThatEndsAtTheAgentsOwn) {
  node_.write("cgroup/pods/agent/cgroup.controllers", "memory\n");
  const auto own = find_node_cgroups({.proc = node_.proc(), .cgroup = node_.cgroup() + "/pods/agent"});
  ASSERT_TRUE(own.ok());
  EXPECT_THAT(own->hidden.value_or(""), testing::HasSubstr("--host-cgroup"));
  EXPECT_EQ(path_of_other(*own), "/../other");
}

TEST_F(NodeCgroupsTest, NeedNoLookFromTheNodesOwnNamespace) {
  node_.write("proc/1/cgroup", "0::/init\n");
  fs::remove_all(node_.cgroup() + "/pods");
  const auto cgroups = find_node_cgroups({.proc = node_.proc(), .cgroup = node_.cgroup()});
  ASSERT_TRUE(cgroups.ok());
  EXPECT_EQ(cgroups->origins.unified, "");
  EXPECT_FALSE(cgroups->hidden);
}

TEST_F(NodeCgroupsTest, OfEachTreeByItself) {
  node_.write("proc/1/cgroup", "4:cpu,memory:/../init\n0::/\n");
  node_.write("proc/self/cgroup", "4:cpu,memory:/\n0::/\n");
  node_.write("proc/7/cgroup", "4:cpu,memory:/../shop\n0::/x\n");
  node_.write("v1/memory/agent/cgroup.procs", std::to_string(::getpid()) + "\n");
  const auto cgroups = find_node_cgroups({.proc = node_.proc(), .cgroup = node_.path() / "v1"});
  ASSERT_TRUE(cgroups.ok());
  EXPECT_EQ(cgroups->origins.memory, "/agent");
  EXPECT_EQ(cgroups->origins.unified, "");
  auto proc = *ProcFs::open(node_.proc());
  proc.set_cgroup_origins(cgroups->origins);
  EXPECT_EQ((*proc.cgroup(**proc.process(7)))->front().path, "/shop");
  EXPECT_EQ((*proc.cgroup(**proc.process(7)))->back().path, "/x");
}

}  // namespace
}  // namespace manometer::node
