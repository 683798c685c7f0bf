// On which libraries the programs for JVMs are, and for how long. The JVMs are processes that map a library with the
// places of libjvm.

#include "agent/jvm/gc_watch.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/mount.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include "tests/support/bpf_objects.h"
#include "tests/support/child.h"
#include "tests/support/forked.h"
#include "tests/support/perf_data.h"
#include "tests/support/temp_dir.h"

namespace manometer::test {
namespace {

namespace fs = std::filesystem;

/// A process that maps it.
std::unique_ptr<Forked> mapping(const fs::path& library) {
  return std::make_unique<Forked>([&] {
    if (::dlopen(library.c_str(), RTLD_NOW) == nullptr) throw std::runtime_error(::dlerror());
    return std::string();
  });
}

using PoolEnd = void (*)(const char*, size_t, const char*, size_t, size_t, size_t, size_t, size_t);

/// Another that says all the time what collections left, in names that end where they are said to.
std::unique_ptr<Forked> collecting(const fs::path& library) {
  return std::make_unique<Forked>([&] {
    void* const opened = ::dlopen(library.c_str(), RTLD_NOW);
    if (opened == nullptr) throw std::runtime_error(::dlerror());
    const auto end = reinterpret_cast<PoolEnd>(::dlsym(opened, "fake_pool_end"));
    std::thread([end] {
      // Written by this process, as a JVM's are: what is in the program's file only need not be in memory.
      const std::string manager = "MarkSweepCompactor";
      const std::string eden = "Eden Space heater";
      const std::string survivor = "Survivor Space";
      const std::string old = "Tenured Gen";
      for (;;) {
        end(manager.data(), 16, eden.data(), 10, 1, 0, 100, 200);
        end(manager.data(), 16, survivor.data(), 14, 1, 5, 10, 20);
        end(manager.data(), 16, old.data(), 11, 1, 50, 300, 400);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }).detach();
    return std::string();
  });
}

ProcessKey key_of(const Forked& process) {
  return {process.pid(), 1};
}

class GcWatchTest : public testing::Test {
 protected:
  GcWatchTest() : registry_(loop_, pool_, index_, log_, refusals_, {}) {}

  void SetUp() override {
    auto probe = probes::GcProbe::open(own_pid_namespace(), {1000}, 200);
    ASSERT_TRUE(probe.ok()) << probe.error().message();
    probe_ = *std::move(probe);
    links_at_rest_ = links();
    gc_ = std::make_unique<jvm::GcWatch>(loop_, pool_, *probe_, log_);
    gc_->follow(registry_);
  }

  void TearDown() override {
    EXPECT_TRUE(!gc_ || gc_->stop());
    EXPECT_TRUE(pool_.stop());
  }

  /// Of programs to places, that this process holds: links, or perf events before there were such links.
  size_t links() const {
    size_t count = 0;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const std::string to = fs::read_symlink(entry, gone);
      count += to.find(probe_->at_once() ? "bpf_link" : "perf_event") != std::string::npos ? 1U : 0U;
    }
    return count;
  }

  /// If one of its JVMs does not tell what collections leave: memory pools are apart.
  size_t links_of_library() const { return probe_->at_once() ? 2 : 12; }

  /// A process that maps the library, looked at with the performance data of another.
  Child with_performance_data(const fs::path& library, const std::string& fixture) {
    const std::vector<std::byte> data = PerfData::from_fixture(fixture).build();
    work_.write("hsperfdata_test/1", {reinterpret_cast<const char*>(data.data()), data.size()});
    Child jvm({MANOMETER_FAKE_JVM, library, work_.path() / "hsperfdata_test" / "1"});
    EXPECT_EQ(jvm.read_line(), "mapped");
    jvm::PerfReader reader(**node::ProcFs::open("/proc")->process(jvm.pid()));
    EXPECT_TRUE(std::holds_alternative<jvm::PerfSample>(reader.read(TimePoint())));
    registry_.on_looked_at({jvm.pid(), 1}, reader);
    return jvm;
  }

  fs::path make_library(const std::string& directory) const {
    fs::path library = work_.path() / directory / "libjvm.so";
    fs::create_directories(library.parent_path());
    fs::copy(MANOMETER_FAKE_HOTSPOT, library);
    return library;
  }

  void look_at(const Forked& process) {
    const auto proc = node::ProcFs::open("/proc");
    const auto found = proc->process(process.pid());
    const jvm::PerfReader reader(**found);
    registry_.on_looked_at(key_of(process), reader);
  }

  bool run_until(const std::function<bool()>& condition) {
    return eventually([&] {
      loop_.restart();
      loop_.run_for(std::chrono::milliseconds(1));
      return condition();
    });
  }

  TempDir work_;
  boost::asio::io_context loop_{1};
  BlockingPool pool_{loop_};
  LogOnce log_;
  container::Index index_{std::nullopt, log_};
  Refusals refusals_{log_};
  jvm::Registry registry_;
  std::unique_ptr<probes::GcProbe> probe_;
  std::unique_ptr<jvm::GcWatch> gc_;
  size_t links_at_rest_ = 0;
};

TEST_F(GcWatchTest, IsOnALibraryAsLongAsSomebodyUsesIt) {
  const fs::path library = make_library("jdk");
  const auto one = mapping(library);
  const auto other = mapping(library);
  look_at(*one);
  look_at(*other);
  ASSERT_TRUE(run_until([&] { return gc_->tells_stops(key_of(*one)) && gc_->tells_stops(key_of(*other)); }));
  EXPECT_TRUE(run_until([&] { return links() - links_at_rest_ == links_of_library(); }));
  gc_->remove(key_of(*one));
  EXPECT_TRUE(gc_->tells_stops(key_of(*other)));
  gc_->remove(key_of(*other));
  EXPECT_TRUE(run_until([&] { return links() == links_at_rest_; }));
}

TEST_F(GcWatchTest, LeavesNothingOfAJvmThatIsFoundAgainWhileItsLibraryOpens) {
  const auto jvm = mapping(make_library("jdk"));
  look_at(*jvm);
  gc_->remove(key_of(*jvm));
  look_at(*jvm);
  ASSERT_TRUE(run_until([&] { return gc_->tells_stops(key_of(*jvm)); }));
  gc_->remove(key_of(*jvm));
  EXPECT_TRUE(run_until([&] { return links() == links_at_rest_; }));
}

TEST_F(GcWatchTest, TellsWhatCollectionsLeaveInAJvmWithoutPerformanceData) {
  const auto jvm = collecting(make_library("jdk"));
  look_at(*jvm);
  // The probe may come while the pools are told, and so without some of them in the first round.
  ASSERT_TRUE(run_until([&] {
    const auto pools = gc_->pools(key_of(*jvm));
    return pools && pools->sample.heap.used_bytes == 55U;
  }));
  const jvm::PoolReading reading = *gc_->pools(key_of(*jvm));
  EXPECT_EQ(reading.collector, "Serial");
  EXPECT_EQ(reading.sample.heap.committed_bytes, 420U);
  EXPECT_EQ(reading.sample.heap.max_bytes, 640U);
  ASSERT_EQ(reading.sample.collectors.size(), 1U);
  EXPECT_EQ(reading.sample.collectors[0].name.bean, "MarkSweepCompact");
  gc_->remove(key_of(*jvm));
  EXPECT_FALSE(gc_->pools(key_of(*jvm)));
  EXPECT_FALSE(probe_->read_pools(jvm->pid()));
  EXPECT_TRUE(run_until([&] { return links() == links_at_rest_; }));
}

TEST_F(GcWatchTest, HasTheProbeOfPoolsForCollectorsThatDoNotTellInTheirPerformanceData) {
  const fs::path library = make_library("jdk");
  for (const auto& [fixture, links_of_pools] : {std::pair{"17-zgc", 1U}, {"17-shenandoah", 1U}, {"11-zgc", 0U}}) {
    const Child jvm = with_performance_data(library, fixture);
    const ProcessKey key{jvm.pid(), 1};
    EXPECT_TRUE(run_until([&] {
      return gc_->tells_stops(key) && links() - links_at_rest_ == links_of_library() - 1 + links_of_pools;
    })) << fixture;
    gc_->remove(key);
    EXPECT_TRUE(run_until([&] { return links() == links_at_rest_; }));
  }
}

TEST_F(GcWatchTest, HasTheProbeOfPoolsOnlyAsLongAsSomebodyNeedsIt) {
  const fs::path library = make_library("jdk");
  const size_t without_pools = links_of_library() - 1;
  const Child with_data = with_performance_data(library, "17-g1");
  const ProcessKey key{with_data.pid(), 1};
  ASSERT_TRUE(run_until([&] { return gc_->tells_stops(key); }));
  EXPECT_EQ(links() - links_at_rest_, without_pools);
  for (int times = 0; times < 2; ++times) {
    const auto without_data = mapping(library);
    look_at(*without_data);
    EXPECT_TRUE(run_until([&] { return links() - links_at_rest_ == links_of_library(); }));
    gc_->remove(key_of(*without_data));
    EXPECT_TRUE(run_until([&] { return links() - links_at_rest_ == without_pools; }));
  }
  EXPECT_TRUE(gc_->tells_stops(key));
  gc_->remove(key);
  EXPECT_TRUE(run_until([&] { return links() == links_at_rest_; }));
}

/// Two overlays have two devices, and the kernel would run a program for each of them in both.
TEST_F(GcWatchTest, IsOnceOnTheLibraryOfTwoContainersOfOneImage) {
  const fs::path library = make_library("image");
  std::vector<std::unique_ptr<Forked>> jvms;
  for (const char* container : {"a", "b"}) {
    const fs::path root = work_.path() / container;
    fs::create_directories(root);
    fs::create_directories(work_.path() / "none");
    const std::string layers = "lowerdir=" + library.parent_path().string() + ":" + (work_.path() / "none").string();
    ASSERT_EQ(::mount("overlay", root.c_str(), "overlay", MS_RDONLY, layers.c_str()), 0) << std::strerror(errno);
    jvms.push_back(mapping(root / "libjvm.so"));
    look_at(*jvms.back());
  }
  EXPECT_TRUE(run_until([&] { return gc_->tells_stops(key_of(*jvms[0])) && gc_->tells_stops(key_of(*jvms[1])); }));
  EXPECT_TRUE(run_until([&] { return links() - links_at_rest_ == links_of_library(); }));
  for (const auto& jvm : jvms) gc_->remove(key_of(*jvm));
  jvms.clear();
  for (const char* container : {"a", "b"}) {
    const fs::path root = work_.path() / container;
    EXPECT_TRUE(run_until([&] { return ::umount(root.c_str()) == 0; })) << "it stays busy: " << std::strerror(errno);
  }
}

TEST_F(GcWatchTest, LeavesOutTheLibrariesBeyondAHundredAndTwentyEight) {
  constexpr size_t kMost = 128;
  std::vector<std::unique_ptr<Forked>> jvms;
  for (size_t i = 0; i <= kMost; ++i) {
    jvms.push_back(mapping(make_library("jdk" + std::to_string(i))));
    look_at(*jvms.back());
  }
  EXPECT_TRUE(run_until([&] { return !gc_->is_any_pending(); }));
  EXPECT_EQ(std::ranges::count_if(jvms, [&](const auto& jvm) { return gc_->tells_stops(key_of(*jvm)); }),
            static_cast<std::ptrdiff_t>(kMost));
}

/// Hostile: it has as many pools as it likes.
TEST_F(GcWatchTest, CountsPoolsForWhichThereIsNoRoom) {
  const fs::path library = make_library("jdk");
  const Forked jvm([&] {
    const auto end = reinterpret_cast<PoolEnd>(::dlsym(::dlopen(library.c_str(), RTLD_NOW), "fake_pool_end"));
    std::thread([end] {
      for (size_t i = 0;; ++i) {
        const std::string name = "Pool " + std::to_string(i);
        end(name.data(), name.size(), name.data(), ~size_t{0}, 1, 0, 100, 200);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }).detach();
    return std::string();
  });
  look_at(jvm);
  EXPECT_TRUE(run_until([&] { return probe_->lost_pools() > 0; }));
  EXPECT_FALSE(gc_->pools(key_of(jvm)));
  gc_->remove(key_of(jvm));
  EXPECT_TRUE(run_until([&] { return links() == links_at_rest_; }));
}

}  // namespace
}  // namespace manometer::test
