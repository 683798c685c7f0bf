// open_cgroup on a tree of plain directories, which is all it needs.

#include <fcntl.h>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/node/cgroup2.h"
#include "tests/support/temp_dir.h"

namespace manometer::node {
namespace {

namespace fs = std::filesystem;

class OpenCgroupTest : public testing::Test {
 protected:
  OpenCgroupTest() {
    fs::create_directories(dir_.path() / "root/a/b");
    fs::create_directory(dir_.path() / "root/..a");
    fs::create_directory(dir_.path() / "outside");
    root_ = UniqueFd(::open((dir_.path() / "root").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

  Result<std::optional<UniqueFd>> open(std::string_view path) const { return open_cgroup(root_.get(), path); }

  /// What was opened, relative to the root.
  std::string opened(std::string_view path) const {
    const auto cgroup = open(path);
    if (!cgroup) return cgroup.error().message();
    if (!*cgroup) return "gone";
    return fs::relative(fs::read_symlink("/proc/self/fd/" + std::to_string((*cgroup)->get())), dir_.path() / "root");
  }

  test::TempDir dir_;
  UniqueFd root_;
};

TEST_F(OpenCgroupTest, OpensWhatIsThere) {
  EXPECT_EQ(opened("/"), ".");
  EXPECT_EQ(opened("/a"), "a");
  EXPECT_EQ(opened("/a/b"), "a/b");
  EXPECT_EQ(opened("/..a"), "..a");
}

TEST_F(OpenCgroupTest, GoneIsNoError) {
  EXPECT_EQ(opened("/a/c"), "gone");
  EXPECT_EQ(opened("/a/b (deleted)"), "gone");
}

TEST_F(OpenCgroupTest, OutsideOurNamespaceIsAnErrorThatSaysSo) {
  for (const char* path : {"/..", "/../a", "/../../a/b"}) {
    EXPECT_THAT(opened(path), testing::AllOf(testing::HasSubstr(path), testing::HasSubstr("--cgroupns=host")));
  }
}

TEST_F(OpenCgroupTest, LeadsNowhereElse) {
  fs::create_directory_symlink("a", dir_.path() / "root/link");
  EXPECT_FALSE(open("/link").ok());
  EXPECT_FALSE(open("/link/b").ok());
  EXPECT_FALSE(open("/a/../../outside").ok());
}

TEST_F(OpenCgroupTest, NoPathIsNotTheRoot) {
  EXPECT_FALSE(open("").ok());
  EXPECT_FALSE(open("a").ok());
}

TEST_F(OpenCgroupTest, IsClosedOnExec) {
  const auto cgroup = open("/a");
  ASSERT_TRUE(cgroup.ok() && cgroup->has_value());
  EXPECT_EQ(::fcntl((*cgroup)->get(), F_GETFD), FD_CLOEXEC);
}

}  // namespace
}  // namespace manometer::node
