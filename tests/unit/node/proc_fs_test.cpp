#include "agent/node/proc_fs.h"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace manometer::node {
namespace {

TEST(ParseStat, SurvivesANameMadeToConfuse) {
  const auto stat = parse_stat("42 (a) S 1 (b) S 1 42 42 0 -1 4194304 1 0 0 0 5 6 0 0 20 0 17 0 123456 1 2 3 4 5\n");
  ASSERT_TRUE(stat.ok()) << stat.error().message();
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->threads, 17U);
  EXPECT_EQ(stat->start_ticks, 123456U);
  EXPECT_EQ(stat->cpu_ticks, 11U);
  EXPECT_EQ(stat->cpu_ns(), 11ULL * 1'000'000'000 / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK)));
  EXPECT_FALSE(stat->is_kernel_thread());
}

TEST(ParseStat, RefusesWhatIsCutShort) {
  EXPECT_FALSE(parse_stat("").ok());
  EXPECT_FALSE(parse_stat("42 (java) S 1 2").ok());
  EXPECT_FALSE(parse_stat("42 (java) S 1 42 42 0 -1 4194304 1 0 0 0 x 6 0 0 20 0 17 0 123456 1\n").ok());
  EXPECT_FALSE(parse_stat("42 (java) S 1 42 42 0 -1 4194304 1 0 0 0 5 - 0 0 20 0 17 0 123456 1\n").ok());
}

TEST(ParseMaps, ReadsPathsWithBlanksAndNone) {
  const auto maps = parse_maps(
      "7f0000000000-7f0000008000 rw-s 00001000 fd:0a 42                         /tmp/hsperfdata_a b/1 (deleted)\n"
      "7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0 \n");
  ASSERT_TRUE(maps.ok()) << maps.error().message();
  ASSERT_EQ(maps->size(), 2U);
  const Mapping& first = (*maps)[0];
  EXPECT_EQ(first.start, 0x7f0000000000U);
  EXPECT_EQ(first.end, 0x7f0000008000U);
  EXPECT_EQ(first.offset, 0x1000U);
  EXPECT_TRUE(first.shared);
  EXPECT_TRUE(first.writable);
  EXPECT_FALSE(first.executable);
  EXPECT_EQ(first.device_major, 0xfdU);
  EXPECT_EQ(first.device_minor, 0x0aU);
  EXPECT_EQ(first.inode, 42U);
  EXPECT_EQ(first.path, "/tmp/hsperfdata_a b/1 (deleted)");
  EXPECT_TRUE((*maps)[1].path.empty());
  EXPECT_FALSE((*maps)[1].writable);
  EXPECT_TRUE((*maps)[1].executable);
}

TEST(ParseMaps, RefusesMalformedLines) {
  EXPECT_FALSE(parse_maps("7f00 rw-s\n").ok());
}

TEST(ParseNamespacePid, TakesTheInnermost) {
  EXPECT_EQ(*parse_namespace_pid("Name:\tjava\nNSpid:\t4711\t23\t1\nVmPeak: 1 kB\n"), 1);
  EXPECT_EQ(*parse_namespace_pid("Name:\tjava\nNSpid:\t4711\n"), 4711);
  EXPECT_FALSE(parse_namespace_pid("Name:\tjava\n").ok());
}

TEST(ParseCgroup, ReadsBothVersionsAndColonsInPaths) {
  const auto lines = parse_cgroup("4:memory:/a:b\n1:cpu,cpuacct:/\n0::/kubepods.slice\n");
  ASSERT_TRUE(lines.ok());
  ASSERT_EQ(lines->size(), 3U);
  EXPECT_EQ((*lines)[0].controllers, "memory");
  EXPECT_EQ((*lines)[0].path, "/a:b");
  EXPECT_EQ((*lines)[2].controllers, "");
}

TEST(ProcFs, ReadsThisProcess) {
  const auto proc = ProcFs::open("/proc");
  ASSERT_TRUE(proc.ok());
  EXPECT_THAT(*proc->pids(), testing::Contains(::getpid()));
  const auto process = proc->process(::getpid());
  ASSERT_TRUE(process.ok() && process->has_value());
  const auto stat = (*process)->stat();
  ASSERT_TRUE(stat.ok() && stat->has_value());
  EXPECT_GT((**stat).start_ticks, 0U);
  EXPECT_TRUE((*process)->maps()->has_value());
}

TEST(ProcFs, GoneIsNotAnError) {
  const test::TempDir dir;
  const auto proc = ProcFs::open(dir.path());
  const auto process = proc->process(1);
  ASSERT_TRUE(process.ok());
  EXPECT_FALSE(process->has_value());
}

TEST(ProcFs, AProcessHeldIsNotItsSuccessorWithTheSamePid) {
  const pid_t child = ::fork();
  if (child == 0) ::pause();
  const auto proc = ProcFs::open("/proc");
  const auto process = proc->process(child);
  ASSERT_TRUE(process.ok() && process->has_value());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const auto stat = (*process)->stat();
  ASSERT_TRUE(stat.ok()) << stat.error().message();
  EXPECT_FALSE(stat->has_value());
}

TEST(ProcFs, OpenNamesTheRootThatIsMissing) {
  const auto proc = ProcFs::open("/nonexistent/proc");
  ASSERT_FALSE(proc.ok());
  EXPECT_THAT(proc.error().message(), testing::HasSubstr("/nonexistent/proc"));
}

}  // namespace
}  // namespace manometer::node
