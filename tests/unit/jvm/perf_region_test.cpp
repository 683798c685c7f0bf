// Performance data as a hostile container may leave them. `by_mapping` is how the agent reads with all its rights, the
// link of the mapping leading to the file; `by_path` how it reads without CAP_CHECKPOINT_RESTORE, through the process's
// root.

#include "agent/jvm/perf_region.h"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/jvm/inspect.h"
#include "tests/support/fake_node.h"
#include "tests/support/file_watch.h"
#include "tests/support/look.h"
#include "tests/support/perf_data.h"

namespace manometer::jvm {
namespace {

namespace fs = std::filesystem;
using test::describe;
using test::FakeNode;
using test::FileWatch;
using test::PerfData;
using testing::HasSubstr;
using testing::StartsWith;

constexpr pid_t kPid = 42;
std::string by_mapping(const FakeNode& node) {
  return test::look(node, kPid);
}

std::string by_path(const FakeNode& node) {
  return test::look_without_rights(node, kPid);
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
  FileWatch watch(node_.perf_file(kPid));
  EXPECT_EQ(by_mapping(node_), "threads 7");
  EXPECT_TRUE(watch.was_touched());
  EXPECT_EQ(by_path(node_), "threads 7");
  EXPECT_TRUE(watch.was_touched());
}

/// jps and the like map the data of the JVMs they show, often below their own.
TEST_F(PerfRegionTest, DataThatAJvmMapsToReadAreNotItsOwn) {
  std::ifstream file(node_.process(kPid) / "maps");
  const std::string own(std::istreambuf_iterator<char>(file), {});
  node_.write("proc/42/maps", "10500000-10508000 r--s 00000000 08:01 4711 /tmp/hsperfdata_app/4711\n" + own);
  EXPECT_EQ(by_mapping(node_), "threads 7");
  EXPECT_EQ(by_path(node_), "threads 7");
}

TEST_F(PerfRegionTest, ByMappingItIsReadWhateverBecameOfThePath) {
  fs::remove_all(node_.root(kPid));
  EXPECT_EQ(by_mapping(node_), "threads 7");
}

/// A link on the JVM's own path that leads out of the process's root, to the very file that is mapped: only the way is
/// wrong. `what` becomes the link, as seen from the root; the file it leads to is `outside`, or below it.
struct WayOut {
  const char* name;
  const char* what;
  bool absolute;
  const char* answer;
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const WayOut& way, std::ostream* out) {
  *out << way.name;
}

class SymlinkOut : public PerfRegionTest, public testing::WithParamInterface<WayOut> {};

TEST_P(SymlinkOut, IsNotFollowed) {
  const fs::path link = node_.root(kPid) / GetParam().what;
  const fs::path outside = node_.path() / "outside";
  fs::rename(link, outside);
  fs::create_symlink(GetParam().absolute ? outside : fs::relative(outside, link.parent_path()), link);
  ASSERT_TRUE(fs::is_regular_file(node_.perf_file(kPid))) << "followed as any program would, it is there";
  FileWatch watch(node_.perf_file(kPid));
  EXPECT_THAT(by_path(node_), StartsWith(GetParam().answer));
  EXPECT_FALSE(watch.was_touched());
}

constexpr const char* kNoFile = "unsafe: open performance data: No such file";
constexpr const char* kNotOpened = "unsafe: open performance data: ";  // below /tmp, it leads to itself
constexpr const char* kNotRegular = "unsafe: performance data: not a regular file";

INSTANTIATE_TEST_SUITE_P(All, SymlinkOut,
                         testing::Values(WayOut{"AbsoluteFile", "tmp/hsperfdata_app/1", true, kNotRegular},
                                         WayOut{"RelativeFile", "tmp/hsperfdata_app/1", false, kNotRegular},
                                         WayOut{"AbsoluteDirectory", "tmp/hsperfdata_app", true, kNoFile},
                                         WayOut{"RelativeDirectory", "tmp/hsperfdata_app", false, kNoFile},
                                         WayOut{"AbsoluteTmp", "tmp", true, kNotOpened},
                                         WayOut{"RelativeTmp", "tmp", false, kNoFile}),
                         [](const auto& test) { return test.param.name; });

TEST_F(PerfRegionTest, SymlinkToItselfIsNotFollowed) {
  replace_file([](const fs::path& file) { fs::create_symlink("1", file); });
  EXPECT_THAT(by_path(node_), StartsWith(kNotRegular));
}

TEST_F(PerfRegionTest, DirectoryThatLinksToItselfEnds) {
  fs::remove_all(node_.perf_file(kPid).parent_path());
  fs::create_symlink("hsperfdata_app", node_.perf_file(kPid).parent_path());
  EXPECT_THAT(by_path(node_), StartsWith("unsafe: open performance data: Too many levels"));
}

TEST_F(PerfRegionTest, SymlinkWithinTheRootIsNotFollowedAtTheEndOfThePath) {
  fs::create_hard_link(node_.perf_file(kPid), node_.root(kPid) / "tmp" / "inside");
  replace_file([](const fs::path& file) { fs::create_symlink("../inside", file); });
  EXPECT_THAT(by_path(node_), StartsWith(kNotRegular));
}

TEST_F(PerfRegionTest, SymlinkedTmpWithinTheRootIsFollowed) {
  fs::rename(node_.root(kPid) / "tmp", node_.root(kPid) / "scratch");
  fs::create_directory_symlink("/scratch", node_.root(kPid) / "tmp");
  EXPECT_EQ(by_path(node_), "threads 7") << "absolute within the process's own root";
}

TEST_F(PerfRegionTest, FifoDoesNotBlock) {
  replace_file([](const fs::path& file) { ASSERT_EQ(::mkfifo(file.c_str(), 0666), 0); });
  FileWatch watch(node_.perf_file(kPid));
  EXPECT_THAT(by_path(node_), StartsWith(kNotRegular));
  EXPECT_FALSE(watch.was_touched()) << "its opening may wake who waits for a reader";
}

TEST_F(PerfRegionTest, DirectoryIsRefused) {
  replace_file([](const fs::path& file) { fs::create_directory(file); });
  EXPECT_THAT(by_path(node_), StartsWith(kNotRegular));
}

TEST_F(PerfRegionTest, FileOfAnotherJvmIsRefused) {
  replace_file([](const fs::path& file) {
    const auto region = good_data().build();
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ASSERT_GT(::write(fd, region.data(), region.size()), 0);
    ::close(fd);
  });
  FileWatch watch(node_.perf_file(kPid));
  EXPECT_THAT(by_path(node_), StartsWith("unsafe: performance data: not the file that this process maps"));
  EXPECT_FALSE(watch.was_touched());
}

TEST_F(PerfRegionTest, UnreadableFileIsDenied) {
  fs::permissions(node_.perf_file(kPid), fs::perms::none);
  EXPECT_THAT(by_path(node_), StartsWith("denied: open performance data: Permission denied"));
}

TEST_F(PerfRegionTest, DeletedFileIsReadByMappingOnly) {
  fs::remove(node_.perf_file(kPid));
  EXPECT_EQ(by_mapping(node_), "threads 7");
  EXPECT_THAT(by_path(node_), StartsWith(kNoFile));
}

TEST_F(PerfRegionTest, OneGigabyteIsRefused) {
  fs::resize_file(node_.perf_file(kPid), 1ULL << 30U);
  FileWatch watch(node_.perf_file(kPid));
  EXPECT_EQ(by_mapping(node_), "unsafe: performance data: larger than 1 MiB");
  EXPECT_EQ(by_path(node_), "unsafe: performance data: larger than 1 MiB");
  EXPECT_FALSE(watch.was_touched());
}

TEST_F(PerfRegionTest, OneMebibyteIsTheMost) {
  fs::resize_file(node_.perf_file(kPid), kMaxPerfBytes);
  EXPECT_EQ(by_mapping(node_), "threads 7");
  fs::resize_file(node_.perf_file(kPid), kMaxPerfBytes + 1);
  EXPECT_EQ(by_mapping(node_), "unsafe: performance data: larger than 1 MiB");
}

TEST_F(PerfRegionTest, RegionStillBeingMadeIsStarting) {
  constexpr size_t kAccessibleAt = 7;
  overwrite(good_data().poke<uint8_t>(kAccessibleAt, 0).build());
  EXPECT_THAT(by_mapping(node_), StartsWith("starting"));
  overwrite(std::vector<std::byte>(kPerfHeaderBytes));
  EXPECT_THAT(by_mapping(node_), StartsWith("starting"));
}

/// A reader that has read once, and what it says after the file changed.
class PerfReaderTest : public PerfRegionTest {
 protected:
  PerfReaderTest() : reader_(open()) { EXPECT_EQ(describe(reader_.read(TimePoint())), "threads 7"); }

  PerfReader open() const {
    const auto inspection = inspect(*node::ProcFs::open(node_.proc()), kPid);
    return PerfReader(std::get<FoundJvm>(inspection).process);
  }

  PerfReader reader_;
};

TEST_F(PerfReaderTest, SeesNewValues) {
  overwrite(good_data().set_long("java.threads.live", 9).build());
  EXPECT_EQ(describe(reader_.read(TimePoint())), "threads 9");
}

TEST_F(PerfReaderTest, TakesWhatTheKernelSawOfACollectorThatTheDataName) {
  PoolReading pools{.collector = reader_.identity()->collector, .sample = {}};
  pools.sample.cycle = CycleSample{.ended = 1, .used_bytes = 40};
  const auto with_pools = [&] { return std::get<PerfSample>(reader_.read(TimePoint(), pools)); };
  ASSERT_TRUE(with_pools().cycle);
  EXPECT_EQ(with_pools().cycle->used_bytes, 40U);
  EXPECT_EQ(with_pools().threads, 7U) << "nothing else";
  pools.collector = "Shenandoah";
  EXPECT_FALSE(with_pools().cycle);
}

TEST_F(PerfReaderTest, SeesNewEntries) {
  overwrite(test::perf_data()
                .add_long("sun.os.hrt.frequency", 1'000'000'000)
                .add_string("java.property.java.vm.name", "moved what follows")
                .add_long("java.threads.live", 11)
                .build());
  EXPECT_EQ(describe(reader_.read(TimePoint())), "threads 11");
  EXPECT_EQ(reader_.identity()->vm, "moved what follows");
}

TEST_F(PerfReaderTest, TruncationIsMalformedNotACrash) {
  fs::resize_file(node_.perf_file(kPid), 60);
  EXPECT_EQ(describe(reader_.read(TimePoint())), "malformed: shorter than it was");
  fs::resize_file(node_.perf_file(kPid), 10);
  EXPECT_EQ(describe(reader_.read(TimePoint())), "malformed: shorter than its header");
}

TEST_F(PerfReaderTest, AGrownFileIsRefused) {
  fs::resize_file(node_.perf_file(kPid), 1ULL << 30U);
  EXPECT_THAT(describe(reader_.read(TimePoint())), StartsWith("unsafe: performance data: larger than 1 MiB"));
}

TEST_F(PerfReaderTest, AnotherFileUnderTheSameMappingIsRefused) {
  const fs::path link = node_.process(kPid) / "map_files" / "7f2000000000-7f2000008000";
  fs::remove(link);
  node_.write("other", std::string(32768, 'x'));
  fs::create_hard_link(node_.path() / "other", link);
  EXPECT_THAT(describe(reader_.read(TimePoint())), HasSubstr("not the file that this process maps"));
}

TEST_F(PerfReaderTest, IsGoneWithItsProcess) {
  fs::remove_all(node_.process(kPid));
  EXPECT_EQ(describe(reader_.read(TimePoint())), "gone");
}

}  // namespace
}  // namespace manometer::jvm
