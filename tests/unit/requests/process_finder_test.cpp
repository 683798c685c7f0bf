// Real processes on a real loop; a node made of files for what takes root or luck.

#include "agent/requests/process_finder.h"

#include <csignal>
#include <filesystem>
#include <stdexcept>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/captured_log.h"
#include "tests/support/child.h"
#include "tests/support/fake_node.h"
#include "tests/support/file_watch.h"

namespace manometer::requests {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::chrono::milliseconds kSoon{20};
constexpr std::chrono::hours kNever{24};
constexpr pid_t kPid = 42;

class ProcessFinderTest : public testing::Test {
 protected:
  ProcessFinderTest() {
    for (const char* program : {"sleep", "sh"}) fs::copy_file(fs::path("/bin") / program, copy_of(program));
  }
  ~ProcessFinderTest() override { pool_.stop(); }

  fs::path copy_of(const char* program) const { return dir_.path() / program; }

  /// Runs a copy. Its start is told to its parent somewhat before the kernel shows the new program.
  test::Child run_copy(const char* program, const std::vector<std::string>& arguments) const {
    std::vector<std::string> command{copy_of(program)};
    command.insert(command.end(), arguments.begin(), arguments.end());
    test::Child child(command);
    const std::string exe = fmt::format("/proc/{}/exe", child.pid());
    if (!test::eventually([&] { return fs::read_symlink(exe) == copy_of(program); }))
      throw std::runtime_error("no new program");
    return child;
  }

  void start(const std::string& pattern, std::chrono::milliseconds scan_interval, const std::string& proc = "/proc") {
    proc_ = std::make_unique<node::ProcFs>(*node::ProcFs::open(proc));
    std::vector<WatchPattern> patterns;
    if (!pattern.empty()) patterns.push_back(*parse_watch_pattern(pattern));
    finder_ = std::make_unique<ProcessFinder>(
        loop_, pool_, *proc_, log_, ProcessFinder::Options{std::move(patterns), scan_interval},
        ProcessFinder::Callbacks{[this](FoundProcess process) {
                                   events_.push_back(found(process.key.pid));
                                   found_.push_back(std::move(process));
                                   return !refuses_;
                                 },
                                 [this](const ProcessKey& key) { events_.push_back(gone(key.pid)); }});
    finder_->start();
  }

  /// Starts it and waits for the first scan.
  void scan_once(const std::string& pattern) {
    start(pattern, kNever);
    ASSERT_TRUE(run_until([&] { return finder_->scanned(); }));
  }

  bool run_until(const std::function<bool()>& condition) {
    return test::eventually([&] {
      loop_.restart();
      loop_.run_for(std::chrono::milliseconds(5));
      return condition();
    });
  }
  bool run_until_events(size_t count) {
    return run_until([&] { return events_.size() >= count; });
  }

  /// Runs until a look that began after this call has ended.
  void look_once_more() {
    test::Child marker = run_copy("sleep", {"1000"});
    finder_->on_exec(marker.pid());
    ASSERT_TRUE(run_until([&] { return std::erase(events_, found(marker.pid())) > 0; }));
  }

  bool refuses_ = false;

  static std::string found(pid_t pid) { return fmt::format("found {}", pid); }
  static std::string gone(pid_t pid) { return fmt::format("gone {}", pid); }

  test::TempDir dir_;
  boost::asio::io_context loop_;
  BlockingPool pool_{loop_};
  LogOnce log_;
  std::unique_ptr<node::ProcFs> proc_;
  std::unique_ptr<ProcessFinder> finder_;
  std::vector<std::string> events_;
  std::vector<FoundProcess> found_;
};

TEST_F(ProcessFinderTest, FindsWhatRunsAtTheStart) {
  const test::Child server = run_copy("sleep", {"1000"});
  const test::Child other({"sleep", "1000"});
  scan_once("exe:" + copy_of("sleep").string());
  ASSERT_THAT(events_, ElementsAre(found(server.pid())));
  const FoundProcess& process = found_.front();
  EXPECT_EQ(process.key.start_ticks, (**process.process.stat()).start_ticks);
  EXPECT_EQ(process.namespace_pid, **process.process.namespace_pid());
  EXPECT_EQ(process.cgroup, **process.process.cgroup());
  EXPECT_EQ(process.process.pid(), server.pid());
}

TEST_F(ProcessFinderTest, FindsItWhenItStarts) {
  scan_once("exe:" + dir_.path().string() + "/*");
  const test::Child server = run_copy("sleep", {"1000"});
  const test::Child other({"sleep", "1000"});
  finder_->on_exec(other.pid());
  finder_->on_exec(server.pid());
  ASSERT_TRUE(run_until_events(1));
  EXPECT_THAT(events_, ElementsAre(found(server.pid())));
}

TEST_F(ProcessFinderTest, FindsByCgroup) {
  const test::Child server({"sleep", "1000"});
  const auto process = node::ProcFs::open("/proc")->process(server.pid());
  const auto cgroup = (**process).cgroup();
  scan_once("cgroup:" + (**cgroup).front().path);
  EXPECT_THAT(events_, testing::Contains(found(server.pid())));
}

TEST_F(ProcessFinderTest, FindsAProgramWhoseFileWasReplaced) {
  const test::Child server = run_copy("sleep", {"1000"});
  fs::remove(copy_of("sleep"));
  scan_once("exe:" + copy_of("sleep").string());
  EXPECT_THAT(events_, ElementsAre(found(server.pid())));
}

TEST_F(ProcessFinderTest, FindsInAScanWhatStartedUnseen) {
  start("exe:" + copy_of("sleep").string(), kSoon);
  ASSERT_TRUE(run_until([&] { return finder_->scanned(); }));
  const test::Child server = run_copy("sleep", {"1000"});
  ASSERT_TRUE(run_until_events(1));
  EXPECT_THAT(events_, ElementsAre(found(server.pid())));
}

TEST_F(ProcessFinderTest, TellsOfItsEnd) {
  test::Child server = run_copy("sleep", {"1000"});
  scan_once("exe:" + copy_of("sleep").string());
  ASSERT_THAT(events_, ElementsAre(found(server.pid())));
  ProcessKey other = found_.front().key;
  ++other.start_ticks;
  finder_->on_exit(other);
  EXPECT_EQ(events_.size(), 1U) << "another process with that pid";
  finder_->on_exit(found_.front().key);
  EXPECT_THAT(events_, ElementsAre(found(server.pid()), gone(server.pid())));
  finder_->on_exit(found_.front().key);
  EXPECT_EQ(events_.size(), 2U);
}

TEST_F(ProcessFinderTest, MissesInAScanWhatEndedUnseen) {
  test::Child server = run_copy("sleep", {"1000"});
  start("exe:" + copy_of("sleep").string(), kSoon);
  ASSERT_TRUE(run_until_events(1));
  server.signal(SIGKILL);  // not reaped: its zombie is in /proc still
  ASSERT_TRUE(run_until_events(2));
  EXPECT_THAT(events_, ElementsAre(found(server.pid()), gone(server.pid())));
}

TEST_F(ProcessFinderTest, AnEndDuringTheLookIsNotLost) {
  test::Child server = run_copy("sleep", {"1000"});
  const auto stat = (**node::ProcFs::open("/proc")->process(server.pid())).stat();
  start("exe:" + copy_of("sleep").string(), kNever);
  // The look has begun, and its result is taken by the loop only.
  finder_->on_exit({server.pid(), (**stat).start_ticks});
  ASSERT_TRUE(run_until([&] { return finder_->scanned(); }));
  EXPECT_THAT(events_, IsEmpty());
}

TEST_F(ProcessFinderTest, AStartDuringTheLookIsNotLost) {
  start("exe:" + copy_of("sleep").string(), kNever);
  const test::Child server = run_copy("sleep", {"1000"});
  finder_->on_exec(server.pid());
  ASSERT_TRUE(run_until_events(1));
  EXPECT_THAT(events_, ElementsAre(found(server.pid())));
}

TEST_F(ProcessFinderTest, FollowsAProcessFromProgramToProgram) {
  test::Child process = run_copy("sh", {"-c", "read line; exec sleep 1000"});
  scan_once("exe:" + copy_of("sh").string());
  ASSERT_THAT(events_, ElementsAre(found(process.pid())));
  process.write_line("");
  const std::string exe = fmt::format("/proc/{}/exe", process.pid());
  ASSERT_TRUE(test::eventually([&] { return fs::read_symlink(exe) != copy_of("sh"); }));
  finder_->on_exec(process.pid());
  ASSERT_TRUE(run_until_events(2));
  EXPECT_THAT(events_, ElementsAre(found(process.pid()), gone(process.pid())));
}

TEST_F(ProcessFinderTest, TellsOnceOfWhatStays) {
  const test::Child server = run_copy("sleep", {"1000"});
  scan_once("exe:" + dir_.path().string() + "/*");
  finder_->on_exec(server.pid());
  look_once_more();
  EXPECT_THAT(events_, ElementsAre(found(server.pid())));
}

TEST_F(ProcessFinderTest, WithoutPatternsItDoesNothing) {
  const test::Child server = run_copy("sleep", {"1000"});
  test::FakeNode node;
  node.add_jvm({.pid = kPid}, {});
  test::FileWatch cgroup(node.process(kPid) / "cgroup");
  start("", kSoon, node.proc());
  EXPECT_TRUE(finder_->scanned());
  finder_->on_exec(kPid);
  finder_->on_exit({kPid, 100});
  loop_.restart();
  EXPECT_EQ(loop_.run(), 0U) << "nothing waits on the loop, not even a timer";
  EXPECT_THAT(events_, IsEmpty());
  EXPECT_FALSE(cgroup.was_touched());
}

/// A node made of files.
class FakeProcessFinderTest : public ProcessFinderTest {
 protected:
  void set_exe(pid_t pid, const std::string& path) const {
    fs::remove(node_.process(pid) / "exe");
    fs::create_symlink(path, node_.process(pid) / "exe");
  }

  /// At once, so that no look sees half of it.
  void replace(const std::string& file, std::string_view content) const {
    node_.write("new", content);
    fs::rename(node_.path() / "new", node_.process(kPid) / file);
  }

  test::FakeNode node_;
};

TEST_F(FakeProcessFinderTest, TellsOfAMoveToAnotherCgroup) {
  node_.add_jvm({.pid = kPid, .namespace_pid = 7, .cgroup = "0::/system.slice\n"}, {});
  set_exe(kPid, "/usr/sbin/server");
  start("exe:/usr/sbin/server", kSoon, node_.proc());
  ASSERT_TRUE(run_until_events(1));
  replace("cgroup", "0::/app.slice\n");
  ASSERT_TRUE(run_until_events(2));
  EXPECT_THAT(events_, ElementsAre(found(kPid), found(kPid)));
  EXPECT_EQ(found_.back().cgroup.front().path, "/app.slice");
  EXPECT_EQ(found_.back().namespace_pid, 7);
}

TEST_F(FakeProcessFinderTest, FollowsAProcessIntoAndOutOfACgroup) {
  node_.add_jvm({.pid = kPid, .cgroup = "4:memory:/a\n0::/\n"}, {});
  start("cgroup:/app/*", kSoon, node_.proc());
  ASSERT_TRUE(run_until([&] { return finder_->scanned(); }));
  ASSERT_THAT(events_, IsEmpty());
  replace("cgroup", "4:memory:/app/1\n0::/\n");
  ASSERT_TRUE(run_until_events(1));
  replace("cgroup", "4:memory:/a\n0::/\n");
  ASSERT_TRUE(run_until_events(2));
  EXPECT_THAT(events_, ElementsAre(found(kPid), gone(kPid)));
}

TEST_F(FakeProcessFinderTest, TakesAUsedPidForAnotherProcess) {
  node_.add_jvm({.pid = kPid, .start_ticks = 100}, {});
  start("cgroup:/app.service", kSoon, node_.proc());
  ASSERT_TRUE(run_until_events(1));
  replace("stat", "42 (java) S 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 20 0 200 0 0\n");
  ASSERT_TRUE(run_until_events(3));
  EXPECT_THAT(events_, ElementsAre(found(kPid), gone(kPid), found(kPid)));
  EXPECT_EQ(found_.back().key.start_ticks, 200U);
}

TEST_F(FakeProcessFinderTest, IgnoresKernelThreadsAndZombies) {
  constexpr pid_t kThread = 2;
  constexpr pid_t kZombie = 43;
  node_.add_jvm({.pid = kPid}, {});
  node_.add_jvm({.pid = kThread}, {});
  node_.write("proc/2/stat", "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0\n");
  node_.add_jvm({.pid = kZombie}, {});
  node_.write("proc/43/stat", "43 (java) Z 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0\n");
  start("cgroup:*", kNever, node_.proc());
  ASSERT_TRUE(run_until([&] { return finder_->scanned(); }));
  EXPECT_THAT(events_, ElementsAre(found(kPid)));
}

TEST_F(FakeProcessFinderTest, KeepsWhatItCannotReadNow) {
  node_.add_jvm({.pid = kPid}, {});
  node_.add_jvm({.pid = kPid + 1}, {});
  start("cgroup:/app.service", kSoon, node_.proc());
  ASSERT_TRUE(run_until_events(2));
  const test::CapturedLog log;
  replace("cgroup", "nonsense\n");
  fs::remove_all(node_.process(kPid + 1));
  ASSERT_TRUE(run_until_events(3));
  EXPECT_THAT(events_, ElementsAre(found(kPid), found(kPid + 1), gone(kPid + 1)));
  EXPECT_THAT(log.text(), HasSubstr("process 42: cgroup: malformed line"));
}

TEST_F(FakeProcessFinderTest, LeavesAStormToTheScan) {
  start("cgroup:/app.service", kSoon, node_.proc());
  for (pid_t pid = 1000; pid < 20'000; ++pid) finder_->on_exec(pid);
  EXPECT_GT(finder_->left_to_scan(), 0U);
  node_.add_jvm({.pid = 19'999}, {});
  ASSERT_TRUE(run_until_events(1));
  EXPECT_THAT(events_, ElementsAre(found(19'999)));
}

TEST_F(ProcessFinderTest, OneThatWasRefusedIsFoundAgain) {
  const test::Child child = run_copy("sleep", {"1000"});
  refuses_ = true;
  start("exe:" + copy_of("sleep").string(), std::chrono::milliseconds(20));
  ASSERT_TRUE(run_until_events(3));
  EXPECT_EQ(events_.back(), found(child.pid()));
  refuses_ = false;
  events_.clear();
  ASSERT_TRUE(run_until_events(1));
  look_once_more();
  EXPECT_EQ(events_, std::vector{found(child.pid())});
}

}  // namespace
}  // namespace manometer::requests
