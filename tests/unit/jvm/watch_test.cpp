// Discovery and registry together, on a fake node and a real loop.

#include "agent/jvm/watch.h"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/child.h"
#include "tests/support/fake_libjvm.h"
#include "tests/support/fake_node.h"
#include "tests/support/file_watch.h"
#include "tests/support/mapped_memory.h"
#include "tests/support/perf_data.h"

namespace manometer::jvm {
namespace {

namespace fs = std::filesystem;
using test::FakeLibjvm;

constexpr pid_t kPid = 42;

std::vector<std::byte> data(int64_t threads) {
  return test::perf_data()
      .add_long("sun.os.hrt.frequency", 1'000'000'000)
      .add_long("java.threads.live", threads)
      .build();
}

class WatchTest : public testing::Test {
 protected:
  WatchTest() { fs::create_directories(node_.cgroup()); }

  /// Changes the bytes of the very file that is mapped.
  void overwrite(pid_t pid, const std::vector<std::byte>& bytes) const {
    std::ofstream(node_.perf_file(pid), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }

  void start(const PressureOptions& pressure = {}) {
    auto watch =
        Watch::open(loop_, {{node_.proc(), node_.cgroup(), node_.path() / "log"}, kInterval, kInterval, pressure});
    if (!watch) throw std::runtime_error(watch.error().message());
    watch_ = *std::move(watch);
    watch_->start();
  }

  /// Runs the loop until condition is true; false if it never is.
  bool run_until(const std::function<bool()>& condition) {
    return test::eventually([&] {
      loop_.restart();
      loop_.run_for(std::chrono::milliseconds(5));
      return condition();
    });
  }

  const Jvm* find(pid_t pid) const {
    for (const auto& [key, jvm] : watch_->registry().jvms()) {
      if (key.pid == pid) return &jvm;
    }
    return nullptr;
  }
  std::optional<uint64_t> threads_of(pid_t pid) const {
    const Jvm* jvm = find(pid);
    return jvm != nullptr && jvm->sample && !jvm->refusal ? jvm->sample->threads : std::nullopt;
  }

  static constexpr std::chrono::milliseconds kInterval{20};
  test::FakeNode node_;
  boost::asio::io_context loop_;
  std::unique_ptr<Watch> watch_;
};

TEST_F(WatchTest, IsReadyOnAnEmptyNode) {
  watch_ = *Watch::open(loop_, {{node_.proc(), node_.cgroup()}, kInterval, kInterval});
  EXPECT_FALSE(watch_->ready()) << "nothing was looked at yet";
  watch_->start();
  EXPECT_TRUE(run_until([&] { return watch_->ready(); }));
  EXPECT_TRUE(watch_->registry().jvms().empty());
}

TEST_F(WatchTest, FollowsAJvmFromItsStartToItsEnd) {
  start();
  ASSERT_TRUE(run_until([&] { return watch_->ready(); }));
  node_.add_jvm({.pid = kPid}, data(7));
  ASSERT_TRUE(run_until([&] { return threads_of(kPid) == 7U; })) << "the next scan finds it";
  EXPECT_EQ(watch_->containers().all().size(), 1U);
  overwrite(kPid, data(8));
  EXPECT_TRUE(run_until([&] { return threads_of(kPid) == 8U; })) << "the next sample has it";
  fs::remove_all(node_.process(kPid));
  EXPECT_TRUE(run_until([&] { return find(kPid) == nullptr; }));
  EXPECT_TRUE(watch_->containers().all().empty());
}

TEST_F(WatchTest, StaysReadyWhenAJvmComesLater) {
  start();
  ASSERT_TRUE(run_until([&] { return watch_->ready(); }));
  node_.add_jvm({.pid = kPid}, data(7));
  loop_.restart();
  while (find(kPid) == nullptr) loop_.run_one();  // up to the handler that adds it
  ASSERT_FALSE(find(kPid)->sample || find(kPid)->refusal) << "it is not read yet";
  EXPECT_TRUE(watch_->ready());
}

TEST_F(WatchTest, AJvmThatBreaksIsRefusedUntilItIsWhole) {
  node_.add_jvm({.pid = kPid}, data(7));
  start();
  ASSERT_TRUE(run_until([&] { return threads_of(kPid) == 7U; }));
  overwrite(kPid, std::vector<std::byte>(100));
  ASSERT_TRUE(run_until([&] { return find(kPid)->refusal.has_value(); }));
  EXPECT_EQ(find(kPid)->refusal->failure, Failure::kMalformed);
  EXPECT_EQ(watch_->registry().failures().at(Failure::kMalformed), 1U) << "once, however often it is read";
  overwrite(kPid, data(9));
  EXPECT_TRUE(run_until([&] { return threads_of(kPid) == 9U; }));
}

TEST_F(WatchTest, AnotherProcessWithTheSamePidIsAnotherJvm) {
  node_.add_jvm({.pid = kPid, .start_ticks = 100}, data(7));
  start();
  ASSERT_TRUE(run_until([&] { return threads_of(kPid) == 7U; }));
  fs::remove_all(node_.process(kPid));
  node_.add_jvm({.pid = kPid, .start_ticks = 200}, data(8));
  ASSERT_TRUE(run_until([&] { return threads_of(kPid) == 8U; }));
  ASSERT_EQ(watch_->registry().jvms().size(), 1U);
  EXPECT_EQ(watch_->registry().jvms().begin()->first.start_ticks, 200U);
}

/// A JVM whose threads stood still so long.
std::vector<std::byte> stopped_data(int64_t stopped_ns) {
  return test::perf_data()
      .add_long("sun.os.hrt.frequency", 1'000'000'000)
      .add_long("sun.rt.safepointTime", stopped_ns)
      .build();
}

TEST_F(WatchTest, AssessesPressureOnceTheWindowIsFull) {
  node_.add_jvm({.pid = kPid}, stopped_data(1));
  start({.window = std::chrono::milliseconds(200)});
  ASSERT_TRUE(run_until([&] { return find(kPid) != nullptr && find(kPid)->sample; }));
  EXPECT_FALSE(find(kPid)->pressure.index);
  EXPECT_LT(find(kPid)->started_at, find(kPid)->found_at);
  ASSERT_TRUE(run_until([&] { return find(kPid)->pressure.index.has_value(); }));
  EXPECT_EQ(find(kPid)->pressure.gc, 0.0);
  EXPECT_EQ(find(kPid)->pressure.load, 0.0);
  EXPECT_FALSE(find(kPid)->pressure.live || find(kPid)->pressure.oom || find(kPid)->pressure.psi);
}

TEST_F(WatchTest, KnowsTheLoadOfAConcurrentCollectorByItsThreads) {
  node_.add_jvm({.pid = kPid}, test::PerfData::from_fixture("17-zgc").build());
  node_.add_thread(kPid, {.id = 43, .name = "ZWorker#0", .cpu_ticks = 5});
  node_.add_jvm({.pid = 60}, test::PerfData::from_fixture("17-zgc").build());
  start({.window = std::chrono::milliseconds(200)});
  const auto is_assessed = [&](pid_t pid) { return find(pid) != nullptr && find(pid)->pressure.index; };
  ASSERT_TRUE(run_until([&] { return is_assessed(kPid) && is_assessed(60); }));
  EXPECT_EQ(find(kPid)->pressure.gc, 0.0);
  EXPECT_EQ(find(kPid)->pressure.load, 0.0);
  EXPECT_FALSE(find(60)->pressure.gc || find(60)->pressure.load) << "its threads are not to be seen";
}

TEST_F(WatchTest, GcCpuThatCannotBeKnownCostsOnlyItself) {
  node_.add_jvm({.pid = kPid}, test::PerfData::from_fixture("17-zgc").build());
  node_.add_thread(kPid, {.id = 43, .name = "ZWorker#0", .cpu_ticks = 5});
  std::ofstream(node_.process(kPid) / "task/43/syscall") << "nonsense\n";
  start();
  ASSERT_TRUE(run_until([&] { return find(kPid) != nullptr && find(kPid)->sample; }));
  EXPECT_TRUE(find(kPid)->gc_cpu_failed);
  EXPECT_FALSE(find(kPid)->sample->gc_cpu);
  EXPECT_FALSE(find(kPid)->refusal);
}

TEST_F(WatchTest, TakesGcCpuFromTheCountersOfThoseThatHaveIt) {
  const auto source_of = [&](pid_t pid) {
    const Jvm* jvm = find(pid);
    return jvm != nullptr && jvm->sample && jvm->sample->gc_cpu ? jvm->sample->gc_cpu->source : "";
  };
  pid_t pid = kPid;
  for (const char* fixture : {"25-g1", "25-parallel", "25-serial", "17-g1"}) {
    node_.add_jvm({.pid = pid}, test::PerfData::from_fixture(fixture).build());
    node_.add_thread(pid++, {.id = 99, .name = "GC Thread#0", .cpu_ticks = 5});
  }
  start();
  EXPECT_TRUE(run_until([&] {
    return source_of(kPid) == "counters" && source_of(kPid + 1) == "counters" && source_of(kPid + 2) == "threads" &&
           source_of(kPid + 3) == "threads";
  }));
  EXPECT_EQ(find(kPid)->sample->gc_cpu->ns, 109774193U);
}

TEST_F(WatchTest, ForgetsWhatIsOlderThanThePressuresWindow) {
  constexpr std::chrono::milliseconds kWindow{200};
  node_.add_jvm({.pid = kPid}, stopped_data(1));
  start({.window = kWindow});
  ASSERT_TRUE(run_until([&] {
    const Jvm* jvm = find(kPid);
    return jvm != nullptr && jvm->sample && jvm->sampled_at - jvm->found_at > 2 * kWindow;
  }));
  EXPECT_LE(find(kPid)->sampled_at - find(kPid)->history.samples().front().at, kWindow * 3 / 2);
}

TEST_F(WatchTest, PressureOfASuccessorBeginsAnew) {
  node_.add_jvm({.pid = kPid, .start_ticks = 100}, stopped_data(1));
  start({.window = std::chrono::milliseconds(200)});
  ASSERT_TRUE(run_until([&] { return find(kPid) != nullptr && find(kPid)->pressure.index; }));
  fs::remove_all(node_.process(kPid));
  node_.add_jvm({.pid = kPid, .start_ticks = 200}, stopped_data(1));
  ASSERT_TRUE(run_until([&] {
    return find(kPid) != nullptr && watch_->registry().jvms().begin()->first.start_ticks == 200U && find(kPid)->sample;
  }));
  EXPECT_FALSE(find(kPid)->pressure.index);
  EXPECT_TRUE(run_until([&] { return find(kPid)->pressure.index.has_value(); }));
}

TEST_F(WatchTest, AStormOfStartsIsLeftToTheScan) {
  start();
  ASSERT_TRUE(run_until([&] { return watch_->ready(); }));
  constexpr pid_t kFirst = 1000;
  constexpr pid_t kStarts = 1500;
  constexpr pid_t kLast = kFirst + kStarts - 1;
  node_.add_jvm({.pid = kLast}, data(7));
  for (pid_t pid = kFirst; pid <= kLast; ++pid) watch_->discovery().on_exec(pid);
  EXPECT_EQ(watch_->discovery().left_to_scan(), 500U);
  EXPECT_TRUE(run_until([&] { return threads_of(kLast) == 7U; }));
}

TEST_F(WatchTest, TwoJvmsInOneCgroupWithOneNamespacePidHaveTwoLabels) {
  node_.add_jvm({.pid = 50, .namespace_pid = 1}, data(5));
  node_.add_jvm({.pid = 60, .namespace_pid = 1}, data(6));
  start();
  ASSERT_TRUE(run_until([&] { return threads_of(50) && threads_of(60); }));
  EXPECT_EQ(find(50)->pid, "1");
  EXPECT_EQ(find(60)->pid, "1-60");
  EXPECT_EQ(watch_->containers().all().size(), 1U);
}

TEST_F(WatchTest, AllJvmsOfAContainerGetItsNamesTogether) {
  const std::string uid = "a3b200c9-db51-40b4-9d2d-53f8fdf80d7f";
  const std::string cgroup = "0::/kubepods/pod" + uid + '/' + std::string(64, 'a') + '\n';
  const std::string pod = "log/pods/shop_web-0_" + uid;
  fs::create_directories(node_.path() / "log/pods");
  for (const pid_t pid : {50, 60}) {
    node_.add_jvm({.pid = pid, .namespace_pid = pid, .cgroup = cgroup}, data(5));
    node_.write(fmt::format("proc/{}/mountinfo", pid),
                "1 2 8:1 /pods/" + uid + "/containers/app/1 /dev/termination-log rw - ext4 x rw\n");
  }
  start();
  ASSERT_TRUE(run_until([&] { return watch_->ready() && threads_of(50) && threads_of(60); }));
  const auto target_of = [&](pid_t pid) { return watch_->registry().target(*find(pid)); };
  EXPECT_EQ(target_of(50), (container::Target{std::nullopt, std::nullopt, std::string(64, 'a'), "50"}));
  fs::create_directories(node_.path() / "new/app");
  fs::rename(node_.path() / "new", node_.path() / pod);
  ASSERT_TRUE(run_until([&] { return target_of(50).pod.has_value(); }));
  EXPECT_EQ(target_of(50), (container::Target{"shop", "web-0", "app", "50"}));
  EXPECT_EQ(target_of(60), (container::Target{"shop", "web-0", "app", "60"}));
}

/// A libjvm whose table leads to performance data that are not there: found at each look, lost at each read.
TEST_F(WatchTest, DataThatVanishWheneverTheyAreFoundCostNothing) {
  test::MappedMemory memory(FakeLibjvm::kBase, 1U << 16U);
  memory.write(0, FakeLibjvm().set_perf_memory(FakeLibjvm::kBase + (1U << 20U), 32768).image());
  node_.add_jvm({.pid = kPid}, {});
  node_.write("proc/42/maps", FakeLibjvm::maps());
  fs::remove(node_.process(kPid) / "mem");
  fs::create_symlink("/proc/self/mem", node_.process(kPid) / "mem");
  test::FileWatch maps(node_.process(kPid) / "maps");
  size_t touches = 0;
  constexpr size_t kMany = 1000;
  start();
  const auto is_unsafe = [&] {
    const Jvm* jvm = find(kPid);
    return jvm != nullptr && jvm->refusal && jvm->refusal->failure == Failure::kUnsafe;
  };
  run_until([&] { return is_unsafe() || (touches += maps.touches()) > kMany; });
  EXPECT_TRUE(is_unsafe()) << touches;
  EXPECT_TRUE(watch_->ready());
}

}  // namespace
}  // namespace manometer::jvm
