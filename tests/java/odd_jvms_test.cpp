// JVMs that keep their data where others do not, or show them to nobody: each is read in the best way there is, or the
// reason is told.

#include <array>
#include <condition_variable>
#include <csignal>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <sys/prctl.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/java/cgroup.h"
#include "tests/java/odd.h"
#include "tests/support/skip.h"

namespace manometer::test {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kOften{"--sample-interval", "100ms"};

/// Expects a JVM that is up when the agent comes to be read in this way.
void expect_read(const Jdk& jdk, const JvmSetup& setup, const std::string& tier) {
  Jvm jvm(jdk, setup);
  jvm.report();
  Agent agent(kOften);
  expect_followed(agent, jvm, tier);
  expect_no_complaint(agent, jvm.pid());
}

class OddJvm : public JvmTest {};

class EveryJdk : public JvmTest, public testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    JvmTest::SetUp();
    if (const auto fetched = fetch_jdk(GetParam()); !fetched) MANOMETER_SKIP(fetched.error().message());
  }
};

TEST_P(EveryJdk, WithoutSharedPerfDataIsReadByItsMemory) {
  expect_read(jdk(GetParam()), {.options = {"-XX:+PerfDisableSharedMem"}}, "memory");
}

TEST_P(EveryJdk, InAContainerIsReadByItsFile) {
  if (const auto why = Cgroup::unavailable()) MANOMETER_SKIP(*why);
  const Cgroup cgroup;
  Jvm jvm(jdk(GetParam()), {.cgroup = cgroup.directory(), .pid_namespace = true});
  jvm.report();
  const Agent agent(kOften);
  expect_followed(agent, jvm, "hsperfdata");
  EXPECT_EQ(jvm.labels().at("pid"), "1") << "its pid in there, which is its file's name";
}

INSTANTIATE_TEST_SUITE_P(Jdks, EveryJdk, testing::Values(8, 11, 17, 21, 25), testing::PrintToStringParamName());

TEST_F(OddJvm, OfAUserWithoutANameIsReadByItsMemory) {
  expect_read(jdk(), {.user = "12345"}, "memory");
}

TEST_F(OddJvm, OfAnotherUserIsReadByItsFile) {
  const std::string nobody = "65534";
  expect_read(jdk(), {.user = nobody}, "hsperfdata");
}

TEST_F(OddJvm, OnAReadOnlyRootIsReadByItsMemory) {
  expect_read(jdk(), {.mounts = "mount -o remount,ro,bind /\nmount -o remount,ro /tmp"}, "memory");
}

TEST_F(OddJvm, WhoseFileWasDeletedIsStillReadByIt) {
  Jvm jvm(jdk(), {});
  jvm.report();
  const Agent agent(kOften);
  expect_followed(agent, jvm, "hsperfdata");
  ASSERT_TRUE(fs::remove("/tmp/hsperfdata_root/" + std::to_string(jvm.pid())));
  expect_followed(agent, jvm, "hsperfdata");
  const Agent newcomer(kOften);
  expect_followed(newcomer, jvm, "hsperfdata");
}

TEST_F(OddJvm, IsNotTakenForOneThatLeftItsFileToIt) {
  if (const auto why = Cgroup::unavailable()) MANOMETER_SKIP(*why);
  const Cgroup cgroup;
  const TempDir tmp;
  fs::permissions(tmp.path(), fs::perms::all | fs::perms::sticky_bit);
  const JvmSetup same{.cgroup = cgroup.directory(), .pid_namespace = true, .tmp = tmp.path()};
  {
    JvmSetup setup = same;
    setup.options = {"-Xmx64m"};
    Jvm first(jdk(), setup);
    first.report();
    first.signal(SIGKILL);
    first.child().wait();
  }
  ASSERT_TRUE(fs::exists(tmp.path() / "hsperfdata_root/1"));
  JvmSetup setup = same;
  setup.options = {"-Xmx96m", "-XX:+PerfDisableSharedMem"};
  Jvm second(jdk(), setup);
  second.report();
  const Agent agent(kOften);
  expect_followed(agent, second, "memory");
  EXPECT_EQ(agent.scrape().value("manometer_jvm_heap_max_bytes", second.labels()), 96 << 20);
}

TEST_F(OddJvm, WithTheSamePidInTheSameCgroupHasASeriesOfItsOwn) {
  if (const auto why = Cgroup::unavailable()) MANOMETER_SKIP(*why);
  const Cgroup cgroup;
  const JvmSetup setup{.cgroup = cgroup.directory(), .pid_namespace = true};
  Jvm first(jdk(), setup);
  Jvm second(jdk(), setup);
  first.report();
  second.report();
  ASSERT_EQ(first.labels(), second.labels());
  first.command("threads 1");
  second.command("threads 12");
  const Agent agent(kOften);
  const LabelMap both{{"container", cgroup.name()}};
  const auto has_both = [&](const Scraped& scraped) { return scraped.all("manometer_jvm_threads", both).size() == 2; };
  const Scraped scraped = agent.scrape_until(has_both);
  std::map<std::string, double> threads;
  for (const auto& sample : scraped.all("manometer_jvm_threads", both)) threads[sample.labels.at("pid")] = sample.value;
  const auto [low, high] = std::minmax({first.pid(), second.pid()});
  const auto of = [&](pid_t pid) { return (pid == first.pid() ? first : second).report().threads; };
  EXPECT_THAT(threads, testing::UnorderedElementsAre(testing::Pair("1", of(low)),
                                                     testing::Pair("1-" + std::to_string(high), of(high))));
}

TEST_F(OddJvm, ThatKeepsNoPerfDataIsListedAndCountedOnce) {
  Agent agent({"--bpf", "off", "--sample-interval", "100ms", "--scan-interval", "1s"}, {}, in_new_pid_namespace());
  Jvm jvm(jdk(), {.options = {"-XX:-UsePerfData"}, .launcher = in_pid_namespace_of(agent)});
  jvm.report();
  const LabelMap labels = jvm.labels();
  // Nothing tells it from one that starts slowly, until it has had its time.
  const auto is_listed = [&](const Scraped& scraped) { return is_refused_for(scraped, labels, "perf_data_off"); };
  EXPECT_TRUE(is_listed(agent.scrape_until(is_listed)));
  // Without events, a JVM that comes later is found by a later scan, which looks at this one again.
  Jvm later(jdk(), {.launcher = in_pid_namespace_of(agent)});
  expect_followed(agent, later, "hsperfdata");
  const Scraped scraped = agent.scrape();
  EXPECT_EQ(scraped.value("manometer_jvm_read_failures_total", {{"reason", "perf_data_off"}}), 1);
  EXPECT_EQ(scraped.value("manometer_jvms", {{"tier", "none"}}), 1);
}

/// How far a JVM has come in its start.
enum class Stage { kNoJvmYet, kNoFileYet, kFileNotComplete, kComplete };

Stage stage_of(pid_t pid) {
  const fs::path proc = "/proc/" + std::to_string(pid);
  std::array<char, 8> header{};
  std::ifstream file("/tmp/hsperfdata_root/" + std::to_string(pid));
  if (file.read(header.data(), header.size()) && header.front() != 0)
    return header.back() == 0 ? Stage::kFileNotComplete : Stage::kComplete;
  std::ifstream maps(proc / "maps");
  const std::string mapped(std::istreambuf_iterator<char>(maps), {});
  // Until it has a second thread, the launcher runs and not the JVM.
  const bool has_threads = std::distance(fs::directory_iterator(proc / "task"), {}) > 1;
  return has_threads && mapped.find("/libjvm.so") != std::string::npos ? Stage::kNoFileYet : Stage::kNoJvmYet;
}

bool is_stopped(pid_t pid) {
  std::string stat;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/stat"), stat);
  return stat.find(") T ") != std::string::npos;
}

/// Starts a JVM and stops it at that stage; nullptr if it was too fast.
std::unique_ptr<Jvm> stopped_at(Stage stage, const Jdk& jdk) {
  auto jvm = std::make_unique<Jvm>(jdk, JvmSetup{});
  const pid_t pid = jvm->child().pid();
  while (stage_of(pid) < stage) std::this_thread::yield();
  jvm->child().signal(SIGSTOP);
  if (eventually([&] { return is_stopped(pid); }) && stage_of(pid) == stage) return jvm;
  jvm->child().signal(SIGCONT);
  return nullptr;
}

class StartingJvm : public JvmTest, public testing::WithParamInterface<Stage> {};

TEST_P(StartingJvm, IsListedAsSuchAndReadWhenItIsUp) {
  Agent agent(kOften);
  std::unique_ptr<Jvm> jvm;
  for (int attempt = 0; !jvm && attempt < 50; ++attempt) jvm = stopped_at(GetParam(), jdk());
  ASSERT_TRUE(jvm) << "none was caught in its start";
  const LabelMap labels{{"pid", std::to_string(jvm->child().pid())}};
  const auto is_starting = [&](const Scraped& scraped) { return is_refused_for(scraped, labels, "starting"); };
  EXPECT_TRUE(is_starting(agent.scrape_until(is_starting))) << agent.get("/metrics");
  jvm->child().signal(SIGCONT);
  expect_followed(agent, *jvm, "hsperfdata");
  expect_no_complaint(agent, jvm->pid());
}

INSTANTIATE_TEST_SUITE_P(Stages, StartingJvm, testing::Values(Stage::kNoFileYet, Stage::kFileNotComplete),
                         [](const auto& stage) {
                           return stage.param == Stage::kNoFileYet ? "BeforeItsFile" : "WithAnIncompleteFile";
                         });

TEST_F(OddJvm, IsNoneIfItOnlyMapsAFileOfThatName) {
  const TempDir dir;
  const std::string library = dir.path() / "libjvm.so";
  Dl_info libc{};
  ASSERT_NE(::dladdr(reinterpret_cast<void*>(&::getpid), &libc), 0);
  fs::copy(fs::canonical(libc.dli_fname), library);
  const std::unique_ptr<void, int (*)(void*)> loaded(::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL), ::dlclose);
  ASSERT_NE(loaded, nullptr) << ::dlerror();
  ::prctl(PR_SET_NAME, "java");
  const std::jthread second_thread([](const std::stop_token& stop) {  // a JVM has several
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait(lock, stop, [] { return false; });
  });
  const Agent agent(kOften);
  const LabelMap labels{{"pid", std::to_string(::getpid())}};
  const auto is_listed = [&](const Scraped& scraped) { return is_refused_for(scraped, labels, "not_hotspot"); };
  EXPECT_TRUE(is_listed(agent.scrape_until(is_listed))) << agent.get("/metrics");
}

}  // namespace
}  // namespace manometer::test
