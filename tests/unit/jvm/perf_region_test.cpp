// Performance data as a hostile container may leave them. `by_mapping` is how the agent reads with all its rights, the
// link of the mapping leading to the file; `by_path` how it reads without CAP_CHECKPOINT_RESTORE, through the process's
// root.

#include "agent/jvm/perf_region.h"

#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/jvm/inspect.h"
#include "tests/support/fake_node.h"
#include "tests/support/perf_data.h"

namespace manometer::jvm {
namespace {

namespace fs = std::filesystem;
using test::FakeNode;
using test::PerfData;
using testing::HasSubstr;
using testing::StartsWith;

constexpr pid_t kPid = 42;
constexpr uid_t kNobody = 65534;

std::string describe(const Refusal& refusal) {
  return fmt::format("{}: {}", to_string(refusal.failure), refusal.detail);
}

std::string describe(const PerfReader::Reading& reading) {
  if (std::holds_alternative<Gone>(reading)) return "gone";
  if (const auto* refusal = std::get_if<Refusal>(&reading)) return describe(*refusal);
  return fmt::format("threads {}", std::get<PerfSample>(reading).threads.value_or(0));
}

/// What the agent makes of the process now, in words.
std::string look(const FakeNode& node) {
  const auto proc = node::ProcFs::open(node.proc());
  auto inspection = inspect(*proc, kPid);
  if (std::holds_alternative<Gone>(inspection)) return "gone";
  if (std::holds_alternative<NotJvm>(inspection)) return "not a JVM";
  if (const auto* refusal = std::get_if<Refusal>(&inspection)) return describe(*refusal);
  auto& data = std::get<FoundJvm>(inspection).data;
  if (const auto* refusal = std::get_if<Refusal>(&data)) return describe(*refusal);
  return describe(std::get<PerfReader>(data).read());
}

std::string by_mapping(const FakeNode& node) {
  return look(node);
}

/// The same in a process that may not follow the mapping's link, and is not root.
std::string by_path(const FakeNode& node) {
  fs::permissions(node.process(kPid) / "map_files", fs::perms::none);
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool dropped = ::getuid() != 0 || (::setgid(kNobody) == 0 && ::setuid(kNobody) == 0);
    const std::string words = dropped ? look(node) : "cannot drop root";
    ::_exit(::write(ends[1], words.data(), words.size()) == static_cast<ssize_t>(words.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  char words[1024];
  const ssize_t n = ::read(ends[0], words, sizeof(words));
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  fs::permissions(node.process(kPid) / "map_files", fs::perms::owner_all);
  return {words, static_cast<size_t>(std::max<ssize_t>(n, 0))};
}

PerfData good_data() {
  return test::perf_data().add_long("sun.os.hrt.frequency", 1'000'000'000).add_long("java.threads.live", 7);
}

class PerfRegionTest : public testing::Test {
 protected:
  PerfRegionTest() { node_.add_jvm({.pid = kPid}, good_data().build()); }

  /// Puts something else where the JVM's path leads.
  void replace_file(const std::function<void(const fs::path&)>& make) {
    fs::remove(node_.perf_file(kPid));
    make(node_.perf_file(kPid));
  }

  /// Changes the bytes of the very file that is mapped.
  void overwrite(const std::vector<std::byte>& bytes) {
    const int fd = ::open(node_.perf_file(kPid).c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
    ASSERT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    ::close(fd);
  }

  FakeNode node_;
};

TEST_F(PerfRegionTest, IsReadByMappingAndByPath) {
  EXPECT_EQ(by_mapping(node_), "threads 7");
  EXPECT_EQ(by_path(node_), "threads 7");
}

TEST_F(PerfRegionTest, ByMappingItIsReadWhateverBecameOfThePath) {
  fs::remove_all(node_.root(kPid));
  EXPECT_EQ(by_mapping(node_), "threads 7");
}

TEST_F(PerfRegionTest, AbsoluteSymlinkIsNotFollowed) {
  fs::create_hard_link(node_.perf_file(kPid), node_.path() / "outside");
  replace_file([&](const fs::path& file) { fs::create_symlink(node_.path() / "outside", file); });
  EXPECT_THAT(by_path(node_), StartsWith("unsafe: performance data: not a regular file"));
}

TEST_F(PerfRegionTest, RelativeSymlinkIsNotFollowed) {
  fs::create_hard_link(node_.perf_file(kPid), node_.root(kPid) / "tmp" / "inside");
  replace_file([](const fs::path& file) { fs::create_symlink("../inside", file); });
  EXPECT_THAT(by_path(node_), StartsWith("unsafe: performance data: not a regular file"));
}

TEST_F(PerfRegionTest, SymlinkLoopEnds) {
  fs::remove_all(node_.perf_file(kPid).parent_path());
  fs::create_symlink("hsperfdata_app", node_.perf_file(kPid).parent_path());
  EXPECT_THAT(by_path(node_), StartsWith("unsafe: open performance data: Too many levels"));
}

/// The directory on the way leads out of the root, to the very file that is mapped: only the way is wrong.
class SymlinkedDirectory : public PerfRegionTest, public testing::WithParamInterface<bool> {};

TEST_P(SymlinkedDirectory, DoesNotLeadOutOfTheRoot) {
  fs::create_directories(node_.path() / "outside");
  fs::create_hard_link(node_.perf_file(kPid), node_.path() / "outside" / "1");
  const fs::path directory = node_.perf_file(kPid).parent_path();
  fs::remove_all(directory);
  const fs::path target =
      GetParam() ? node_.path() / "outside" : fs::relative(node_.path() / "outside", directory.parent_path());
  fs::create_directory_symlink(target, directory);
  ASSERT_TRUE(fs::exists(node_.perf_file(kPid))) << "followed as any program would, it is there";
  EXPECT_THAT(by_path(node_), StartsWith("unsafe: open performance data: No such file"));
}

INSTANTIATE_TEST_SUITE_P(All, SymlinkedDirectory, testing::Bool(),
                         [](const auto& test) { return test.param ? "Absolute" : "Relative"; });

TEST_F(PerfRegionTest, SymlinkedTmpWithinTheRootIsFollowed) {
  fs::rename(node_.root(kPid) / "tmp", node_.root(kPid) / "scratch");
  fs::create_directory_symlink("/scratch", node_.root(kPid) / "tmp");
  EXPECT_EQ(by_path(node_), "threads 7") << "absolute within the process's own root";
}

TEST_F(PerfRegionTest, FifoDoesNotBlock) {
  replace_file([](const fs::path& file) { ASSERT_EQ(::mkfifo(file.c_str(), 0666), 0); });
  EXPECT_THAT(by_path(node_), StartsWith("unsafe: performance data: not a regular file"));
}

TEST_F(PerfRegionTest, DirectoryIsRefused) {
  replace_file([](const fs::path& file) { fs::create_directory(file); });
  EXPECT_THAT(by_path(node_), StartsWith("unsafe: performance data: not a regular file"));
}

TEST_F(PerfRegionTest, FileOfAnotherJvmIsRefused) {
  replace_file([](const fs::path& file) {
    const auto region = good_data().build();
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ASSERT_GT(::write(fd, region.data(), region.size()), 0);
    ::close(fd);
  });
  EXPECT_THAT(by_path(node_), StartsWith("unsafe: performance data: not the file that this process maps"));
}

TEST_F(PerfRegionTest, UnreadableFileIsDenied) {
  fs::permissions(node_.perf_file(kPid), fs::perms::none);
  EXPECT_THAT(by_path(node_), StartsWith("denied: open performance data: Permission denied"));
}

TEST_F(PerfRegionTest, DeletedFileIsReadByMappingOnly) {
  fs::remove(node_.perf_file(kPid));
  EXPECT_EQ(by_mapping(node_), "threads 7");
  EXPECT_THAT(by_path(node_), StartsWith("unsafe: open performance data: No such file"));
}

TEST_F(PerfRegionTest, OneGigabyteIsRefused) {
  fs::resize_file(node_.perf_file(kPid), 1ULL << 30U);
  EXPECT_THAT(by_mapping(node_), StartsWith("unsafe: performance data: larger than 1 MiB"));
}

TEST_F(PerfRegionTest, EmptyFileIsMalformed) {
  fs::resize_file(node_.perf_file(kPid), 0);
  EXPECT_EQ(by_mapping(node_), "malformed: shorter than its header");
}

TEST_F(PerfRegionTest, ZerosAreMalformed) {
  overwrite(std::vector<std::byte>(32768));
  EXPECT_EQ(by_mapping(node_), "malformed: wrong magic");
}

TEST_F(PerfRegionTest, RegionStillBeingMadeIsStarting) {
  constexpr size_t kAccessibleAt = 7;
  overwrite(good_data().poke<uint8_t>(kAccessibleAt, 0).build());
  EXPECT_THAT(by_mapping(node_), StartsWith("starting"));
}

TEST_F(PerfRegionTest, GarbageInProcIsRefusedWithItsFile) {
  node_.write("proc/42/maps", "garbage\n");
  EXPECT_THAT(look(node_), StartsWith("unsafe: maps: malformed line"));
  node_.add_jvm({.pid = kPid + 1}, good_data().build());
}

TEST_F(PerfRegionTest, ProcessWithoutLibjvmIsNoJvm) {
  node_.write("proc/42/maps", "7f1000000000-7f1000400000 r--p 00000000 08:01 77 /usr/lib/libc.so.6\n");
  EXPECT_EQ(look(node_), "not a JVM");
}

TEST_F(PerfRegionTest, ProcessThatIsGoneIsGone) {
  fs::remove_all(node_.process(kPid));
  EXPECT_EQ(look(node_), "gone");
}

/// A reader that has read once, and what it says after the file changed.
class PerfReaderTest : public PerfRegionTest {
 protected:
  PerfReaderTest() : reader_(open()) { EXPECT_EQ(describe(reader_.read()), "threads 7"); }

  PerfReader open() const {
    auto inspection = inspect(*node::ProcFs::open(node_.proc()), kPid);
    return std::get<PerfReader>(std::move(std::get<FoundJvm>(inspection).data));
  }

  PerfReader reader_;
};

TEST_F(PerfReaderTest, SeesNewValues) {
  overwrite(good_data().set_long("java.threads.live", 9).build());
  EXPECT_EQ(describe(reader_.read()), "threads 9");
}

TEST_F(PerfReaderTest, SeesNewEntries) {
  overwrite(test::perf_data()
                .add_long("sun.os.hrt.frequency", 1'000'000'000)
                .add_string("java.property.java.vm.name", "moved what follows")
                .add_long("java.threads.live", 11)
                .build());
  EXPECT_EQ(describe(reader_.read()), "threads 11");
  EXPECT_EQ(reader_.identity()->vm, "moved what follows");
}

TEST_F(PerfReaderTest, TruncationIsMalformedNotACrash) {
  fs::resize_file(node_.perf_file(kPid), 60);
  EXPECT_EQ(describe(reader_.read()), "malformed: shorter than it was");
  fs::resize_file(node_.perf_file(kPid), 10);
  EXPECT_EQ(describe(reader_.read()), "malformed: shorter than its header");
}

TEST_F(PerfReaderTest, AGrownFileIsRefused) {
  fs::resize_file(node_.perf_file(kPid), 1ULL << 30U);
  EXPECT_THAT(describe(reader_.read()), StartsWith("unsafe: performance data: larger than 1 MiB"));
}

TEST_F(PerfReaderTest, AnotherFileUnderTheSameMappingIsRefused) {
  const fs::path link = node_.process(kPid) / "map_files" / "7f2000000000-7f2000008000";
  fs::remove(link);
  node_.write("other", std::string(32768, 'x'));
  fs::create_hard_link(node_.path() / "other", link);
  EXPECT_THAT(describe(reader_.read()), HasSubstr("not the file that this process maps"));
}

TEST_F(PerfReaderTest, IsGoneWithItsProcess) {
  fs::remove_all(node_.process(kPid));
  EXPECT_EQ(describe(reader_.read()), "gone");
}

}  // namespace
}  // namespace manometer::jvm
