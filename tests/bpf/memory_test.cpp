// Stalls for memory and OOM kills, as the agent counts them, against what the kernel says of them itself.

#include <array>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <iostream>
#include <optional>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "agent/container/memory_watch.h"
#include "agent/node/cgroup_fs.h"
#include "agent/node/read_file.h"
#include "agent/probes/memory_probe.h"
#include "tests/java/cgroup.h"
#include "tests/support/skip.h"

namespace manometer::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr size_t kMegabyte = 1 << 20;
constexpr size_t kLimit = 32 * kMegabyte;
constexpr uint64_t kEnoughNs = 50'000'000;  // of stalls, to be compared

/// Runs a function in a process of its own in a cgroup; how it ended, as of waitpid.
int run_in(const Cgroup& cgroup, const std::function<void()>& work) {
  const UniqueFd procs(::open((cgroup.directory() + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::write(procs.get(), "0", 1) != 1) ::_exit(1);
    work();
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(pid, &status, 0);
  return status;
}

/// PSI weighs the stalls on each CPU by how busy the cgroup is there, so it tells less of a task that moves.
void stay_on_this_cpu() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(static_cast<size_t>(::sched_getcpu()), &cpus);
  if (::sched_setaffinity(0, sizeof(cpus), &cpus) != 0) ::_exit(1);
}

char* map_pages(size_t bytes) {
  void* const pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) ::_exit(1);
  return static_cast<char*>(pages);
}

void touch(char* pages, size_t bytes) {
  constexpr size_t kPage = 4096;
  for (size_t at = 0; at < bytes; at += kPage) pages[at] = 1;
}

/// Takes memory and leaves it to the kernel to take back, which needs no disk.
void use_lazily(const std::function<bool()>& is_enough) {
  char* const pages = map_pages(4 * kLimit);
  while (!is_enough()) {
    for (size_t at = 0; at < 4 * kLimit; at += kLimit / 4) {
      touch(pages + at, kLimit / 4);
      ::madvise(pages + at, kLimit / 4, MADV_FREE);
    }
  }
}

/// Reads a file larger than the limit.
void read_file(const std::function<bool()>& is_enough) {
  const UniqueFd file(::open(MANOMETER_LARGE_FILE, O_RDONLY | O_CLOEXEC));
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);  // else it is charged to whoever read it before
  std::vector<char> chunk(kMegabyte);
  while (!is_enough()) {
    if (::read(file.get(), chunk.data(), chunk.size()) <= 0) ::lseek(file.get(), 0, SEEK_SET);
  }
}

/// More than there is, from several threads at once.
void use_too_much() {
  std::array<std::thread, 4> threads;
  for (std::thread& thread : threads) thread = std::thread([] { touch(map_pages(kLimit), kLimit); });
  for (std::thread& thread : threads) thread.join();
}

class MemoryProbe : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = Cgroup::unavailable()) MANOMETER_SKIP(*why);
    auto probe = probes::MemoryProbe::open();
    ASSERT_TRUE(probe.ok()) << probe.error().message();
    probe_ = *std::move(probe);
    cgroup_.emplace();
    sibling_.emplace();
    cgroup_->limit(kLimit);
    sibling_->limit(kLimit);
    ASSERT_TRUE(probe_->add(id(*cgroup_)).ok());
    ASSERT_TRUE(probe_->add(id(*sibling_)).ok());
  }

  void TearDown() override {
    if (!probe_) return;
    expect_none(*sibling_);
    EXPECT_EQ(probe_->lost(), 0U);
  }

  static uint64_t id(const Cgroup& cgroup) {
    struct stat status {};
    EXPECT_EQ(::stat(cgroup.directory().c_str(), &status), 0);
    return status.st_ino;
  }
  static double kernels_kills(const Cgroup& cgroup) {
    const bool v1 = Cgroup::version() == node::CgroupVersion::kV1;
    return cgroup.number(v1 ? "memory.oom_control" : "memory.events", "oom_kill");
  }
  /// PSI's "some", in nanoseconds.
  static std::optional<double> kernels_stalls(const Cgroup& cgroup) {
    const auto text = node::read_file(cgroup.directory() + "/memory.pressure");
    if (!text || !*text) return std::nullopt;
    return 1e3 * static_cast<double>(node::parse_psi(**text)->some_us);
  }
  memory_counts counts(const Cgroup& cgroup) const { return probe_->read(id(cgroup)).value(); }
  void expect_none(const Cgroup& cgroup) const {
    EXPECT_EQ(counts(cgroup).reclaim_ns, 0U);
    EXPECT_EQ(counts(cgroup).compaction_ns, 0U);
    EXPECT_EQ(counts(cgroup).oom_kills, 0U);
  }

  /// Lets a process stall; how long that was of what PSI says, if it is there.
  std::optional<double> expect_stalls(void (*work)(const std::function<bool()>&)) const {
    EXPECT_TRUE(probe_->add(id(*cgroup_)).ok());  // from 0 on again
    const auto psi_before = kernels_stalls(*cgroup_);
    const auto begin = Clock::now();
    const int status = run_in(*cgroup_, [&] {
      stay_on_this_cpu();
      work([&] { return counts(*cgroup_).reclaim_ns > kEnoughNs; });
    });
    const nanoseconds elapsed = Clock::now() - begin;
    EXPECT_EQ(status, 0);
    const memory_counts counted = counts(*cgroup_);
    EXPECT_GT(counted.reclaim_ns, kEnoughNs);
    EXPECT_LE(nanoseconds(counted.reclaim_ns), elapsed);
    EXPECT_LE(nanoseconds(counted.compaction_ns), elapsed);
    EXPECT_EQ(counted.oom_kills, 0U);
    if (!psi_before) return std::nullopt;
    const double psi = kernels_stalls(*cgroup_).value() - *psi_before;
    std::cout << "reclaim " << counted.reclaim_ns << " ns, by PSI " << psi << " ns, of " << elapsed.count() << " ns\n";
    return static_cast<double>(counted.reclaim_ns) / psi;
  }

  std::unique_ptr<probes::MemoryProbe> probe_;
  std::optional<Cgroup> cgroup_;
  std::optional<Cgroup> sibling_;
};

TEST_F(MemoryProbe, CountsReclaimAsThePressureFilesDo) {
  // PSI has in it what the program itself, being reclaimed, is read anew: not in every round.
  bool is_same = false;
  for (int round = 0; round < 5 && !is_same; ++round) {
    const double share = expect_stalls(use_lazily).value_or(1);
    EXPECT_LE(share, 1.1);
    is_same = share >= 0.9;
  }
  EXPECT_TRUE(is_same);
}

TEST_F(MemoryProbe, CountsReclaimOfAFilesPages) {
  EXPECT_LE(expect_stalls(read_file).value_or(0), 1.1) << "PSI has in it that its pages are read anew";
}

TEST_F(MemoryProbe, CountsNothingForACgroupThatWasRemoved) {
  probe_->remove(id(*cgroup_));
  int rounds = 0;
  EXPECT_EQ(run_in(*cgroup_, [&] { use_lazily([&] { return ++rounds > 2; }); }), 0);
  EXPECT_FALSE(probe_->read(id(*cgroup_)));
  ASSERT_TRUE(probe_->add(id(*cgroup_)).ok());
  expect_none(*cgroup_);
}

TEST_F(MemoryProbe, StaysWhereItIsWhenNothingHappens) {
  EXPECT_EQ(run_in(*cgroup_, [] { touch(map_pages(kLimit / 4), kLimit / 4); }), 0);
  expect_none(*cgroup_);
}

TEST_F(MemoryProbe, CountsEachOomKillOnce) {
  for (uint64_t kills = 1; kills <= 5; ++kills) {
    const int status = run_in(*cgroup_, use_too_much);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    EXPECT_EQ(counts(*cgroup_).oom_kills, kills);
    EXPECT_EQ(kernels_kills(*cgroup_), kills);
  }
}

TEST_F(MemoryProbe, KillsOutliveTheContainer) {
  container::MemoryWatch watch(*probe_, 1);
  const container::Target killed{std::nullopt, std::nullopt, "killed", std::nullopt};
  const container::Target ended{std::nullopt, std::nullopt, "ended", std::nullopt};
  const std::map<container::Target, uint64_t> none{{killed, 0}, {ended, 0}};
  const std::map<container::Target, uint64_t> one{{killed, 1}};
  ASSERT_TRUE(watch.add(id(*cgroup_), killed, "/killed").ok());
  ASSERT_TRUE(watch.add(id(*sibling_), ended, "/ended").ok());
  EXPECT_EQ(watch.oom_kills(), none);
  watch.release(id(*cgroup_));
  EXPECT_FALSE(watch.is_taken(killed, "/other"));
  run_in(*cgroup_, use_too_much);
  watch.release(id(*sibling_));
  EXPECT_EQ(watch.oom_kills(), one) << "the kill came after the release";
  EXPECT_FALSE(watch.read(id(*cgroup_)));
  EXPECT_TRUE(watch.is_taken(killed, "/other"));
  EXPECT_FALSE(watch.is_taken(killed, "/killed"));

  ASSERT_TRUE(watch.add(id(*cgroup_), killed, "/killed").ok());
  EXPECT_EQ(watch.oom_kills(), one);
  run_in(*cgroup_, use_too_much);
  EXPECT_EQ(watch.oom_kills().at(killed), 2U);
  watch.release(id(*cgroup_));
  ASSERT_TRUE(watch.add(id(*cgroup_), killed, "/killed").ok());
  EXPECT_EQ(watch.oom_kills().at(killed), 2U) << "as long as it lingers, its counts go on";
  ASSERT_TRUE(watch.add(id(*sibling_), ended, "/ended").ok());
}

TEST_F(MemoryProbe, APodsContainerMayStartAgainUnderAnotherPath) {
  container::MemoryWatch watch(*probe_);
  const container::Target app{"shop", "web-0", "app", std::nullopt};
  ASSERT_TRUE(watch.add(id(*cgroup_), app, "/1").ok());
  run_in(*cgroup_, use_too_much);
  watch.release(id(*cgroup_));
  EXPECT_FALSE(watch.is_taken(app, "/2"));
  ASSERT_TRUE(watch.add(id(*sibling_), app, "/2").ok());
  EXPECT_EQ(watch.oom_kills().at(app), 1U);
}

TEST_F(MemoryProbe, KillsGoOverToTheNamesOfTheContainer) {
  container::MemoryWatch watch(*probe_);
  const container::Target unnamed{std::nullopt, std::nullopt, "0123", std::nullopt};
  const container::Target app{"shop", "web-0", "app", std::nullopt};
  const std::map<container::Target, uint64_t> one{{app, 1}};
  ASSERT_TRUE(watch.add(id(*cgroup_), unnamed, "/1").ok());
  run_in(*cgroup_, use_too_much);
  EXPECT_EQ(watch.oom_kills().at(unnamed), 1U);
  watch.rename(id(*cgroup_), app);
  EXPECT_EQ(watch.oom_kills(), one);
  watch.release(id(*cgroup_));
  ASSERT_TRUE(watch.add(id(*cgroup_), unnamed, "/1").ok());
  EXPECT_EQ(watch.oom_kills(), one) << "another process of it, before its names were looked for again";
}

TEST_F(MemoryProbe, AnEndAtTheLimitIsNoOomKill) {
  for (int i = 0; i < 20; ++i) {
    run_in(*cgroup_, [] {
      std::thread([] { use_too_much(); }).detach();
      touch(map_pages(kLimit / 2), kLimit / 2);
      ::_exit(0);
    });
  }
  EXPECT_EQ(counts(*cgroup_).oom_kills, kernels_kills(*cgroup_));
}

TEST_F(MemoryProbe, ASignalIsNoOomKill) {
  const int status = run_in(*cgroup_, [] { ::raise(SIGKILL); });
  EXPECT_TRUE(WIFSIGNALED(status));
  expect_none(*cgroup_);
}

}  // namespace
}  // namespace manometer::test
