// The CPU time of a real JVM's GC threads, for every JDK and collector, against the kernel's own account.

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/jvm/gc_threads.h"
#include "agent/node/proc_fs.h"
#include "tests/java/combinations.h"
#include "tests/java/jvm.h"
#include "tests/java/moment.h"
#include "tests/support/skip.h"

namespace manometer::test {
namespace {

namespace fs = std::filesystem;

const std::string kGcCpu = "manometer_jvm_gc_cpu_seconds_total";
constexpr double kNear = 0.02;

struct Threads {
  int count = 0;
  double seconds = 0;
};

/// To make every collector work for some tenths of a second.
const std::vector<std::string> kGarbage{"retain_small 60", "allocate 500 1000", "gc", "gc", "gc", "gc", "gc"};

/// Names of all native threads, but those that compile and "VM Thread".
bool is_named_like_gc(const std::string& name) {
  constexpr std::array kStarts{"GC ", "ParGC ", "G1 ", "CMS ", "ZW", "ZD", "ZS", "ZU", "X", "RuntimeW", "Shenandoah"};
  return std::ranges::any_of(kStarts, [&](std::string_view start) { return name.starts_with(start); });
}

Threads threads_of(pid_t pid, bool serial) {
  Threads all;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (!is_named_like_gc(name) && !(serial && name == "VM Thread")) continue;
    uint64_t ns = 0;
    std::ifstream(task.path() / "schedstat") >> ns;
    ++all.count;
    all.seconds += static_cast<double>(ns) / 1e9;
  }
  return all;
}

bool is_counted_by_jvm(const Combination& one) {
  return one.jdk >= 25 && (one.is("G1") || one.is("Parallel"));
}

class GcCpu : public testing::TestWithParam<Combination> {
 protected:
  static void SetUpTestSuite() {
    agent = std::make_unique<Agent>(std::vector<std::string>{"--sample-interval", "100ms", "--pressure-window", "1s"});
  }
  static void TearDownTestSuite() { agent.reset(); }

  void SetUp() override {
    const auto jdk = fetch_jdk(GetParam().jdk);
    if (!jdk) MANOMETER_SKIP(jdk.error().message());
    if (const auto classes = workload_classes(); !classes) MANOMETER_SKIP(classes.error().message());
    JvmSetup setup{.options = GetParam().options};
    setup.options.emplace_back("-Xmx256m");
    jvm_ = std::make_unique<Jvm>(*jdk, setup);
  }

  bool is(std::string_view collector) const { return GetParam().is(collector); }
  bool is_counted_by_jvm() const { return manometer::test::is_counted_by_jvm(GetParam()); }
  bool is_unknown() const { return GetParam().jdk == 8 || is("Epsilon"); }

  void wait_until_it_is_read() const {
    const LabelMap labels = jvm_->labels();
    agent->scrape_until(
        [&](const Scraped& scraped) { return scraped.value("manometer_jvm_threads", labels).has_value(); });
  }

  std::optional<double> exported() const {
    LabelMap labels = jvm_->labels();
    labels["source"] = is_counted_by_jvm() ? "counters" : "threads";
    return fresh_scrape(*agent, jvm_->labels()).value(kGcCpu, labels);
  }

  void expect_truth(const char* when, double impostor_seconds = 0) const;
  void expect_load() const;

  static std::unique_ptr<Agent> agent;
  std::unique_ptr<Jvm> jvm_;
};

std::unique_ptr<Agent> GcCpu::agent;

void GcCpu::expect_truth(const char* when, double impostor_seconds) const {
  std::optional<double> value;
  double truth = 0;
  EXPECT_TRUE(eventually([&] {
    const Threads threads = threads_of(jvm_->pid(), is("Serial"));
    truth = threads.seconds - impostor_seconds;
    value = exported();
    // What the agent reads of each thread is cut to 10 ms.
    const double cut = is_counted_by_jvm() ? 0 : 0.01 * threads.count;
    const double near = std::max(0.1 * truth, kNear);
    return value && *value > 0 && *value >= truth - cut - near && *value <= truth + near;
  })) << when
      << ": " << testing::PrintToString(value) << " against " << truth;
  std::cout << when << ": " << value.value_or(-1) << " s, by the kernel " << truth << " s\n";
}

void GcCpu::expect_load() const {
  const LabelMap labels = jvm_->labels();
  LabelMap gc = labels;
  gc["component"] = "gc";
  const auto has_load = [&](const Scraped& scraped) {
    return scraped.value("manometer_jvm_memory_pressure_component_ratio", gc) &&
           scraped.value("manometer_jvm_memory_pressure_load_ratio", labels);
  };
  EXPECT_TRUE(has_load(agent->scrape_until(has_load)));
}

TEST_P(GcCpu, IsWhatTheKernelSaysOfTheThreadsThatCollect) {
  jvm_->report();
  wait_until_it_is_read();
  expect_load();
  if (!is_unknown()) {
    for (const std::string& command : kGarbage) jvm_->command(command);
    expect_truth("after garbage");
  }
  const int before = threads_of(jvm_->pid(), is("Serial")).count;
  const double impostor = std::stod(jvm_->command("impostor 1000")) / 1e9;
  EXPECT_GE(impostor, 1);
  if (is_unknown()) {
    EXPECT_FALSE(fresh_scrape(*agent, jvm_->labels()).value(kGcCpu, jvm_->labels()));
    return;
  }
  EXPECT_GE(threads_of(jvm_->pid(), is("Serial")).count, before + 1) << "the kernel does not know its name";
  expect_truth("after the impostor", impostor);
}

/// Of those whose JVM has a counter.
class CountedGcCpu : public GcCpu {};

/// What the agent would say by threads where it takes the JVM's own counter.
TEST_P(CountedGcCpu, IsTheSameByThreads) {
  jvm_->report();
  const auto process = *node::ProcFs::open("/proc")->process(jvm_->pid());
  jvm::GcThreads threads;
  const auto by_threads = [&] {
    const auto ns = threads.cpu_ns(*process, **process->stat(), GetParam().collector, std::chrono::steady_clock::now());
    return ns.ok() && *ns ? static_cast<double>(**ns) / 1e9 : 0;
  };
  by_threads();
  for (const std::string& command : kGarbage) jvm_->command(command);
  double kernel = 0;
  std::optional<double> counter;
  EXPECT_TRUE(eventually([&] {
    kernel = by_threads();
    counter = exported();
    const double cut = 0.01 * threads_of(jvm_->pid(), false).count;
    return kernel > 0 && counter && std::abs(*counter - kernel) <= std::max({0.1 * *counter, kNear, cut});
  })) << kernel
      << " against " << testing::PrintToString(counter);
  std::cout << "by threads " << kernel << " s, by the counter " << counter.value_or(-1) << " s\n";
}

std::string name_of(const testing::TestParamInfo<Combination>& info) {
  return info.param.name + std::to_string(info.param.jdk);
}

std::vector<Combination> those_that_count() {
  std::vector<Combination> all = all_combinations();
  std::erase_if(all, [](const Combination& one) { return !is_counted_by_jvm(one); });
  return all;
}

/// Of those that collect concurrently, without a rest if they must.
class StormingGcCpu : public testing::TestWithParam<Combination> {};

TEST_P(StormingGcCpu, IsKnownThoughTheAgentStartsInTheStorm) {
  const auto jdk = fetch_jdk(GetParam().jdk);
  if (!jdk) MANOMETER_SKIP(jdk.error().message());
  if (const auto classes = workload_classes(); !classes) MANOMETER_SKIP(classes.error().message());
  JvmSetup setup{.options = GetParam().options};
  setup.options.emplace_back("-Xmx128m");
  Jvm jvm(*jdk, setup);
  jvm.command("retain_small 20");
  const LabelMap labels = jvm.labels();
  std::atomic<bool> known = false;
  std::thread storm([&] {
    while (!known) jvm.command("allocate 500 100000");
  });
  const Agent agent({"--bpf", "off"});
  // More than the threads that do little take in all this time: those that do the work count.
  constexpr double kOfWorkers = 2;
  const auto is_known = [&](const Scraped& scraped) { return scraped.value(kGcCpu, labels) >= kOfWorkers; };
  EXPECT_TRUE(is_known(agent.scrape_until(is_known)));
  known = true;
  storm.join();
}

std::vector<Combination> those_that_collect_concurrently() {
  std::vector<Combination> all = all_combinations();
  std::erase_if(all, [](const Combination& one) {
    return one.jdk < 17 || (!one.collector.ends_with("ZGC") && !one.is("Shenandoah"));
  });
  return all;
}

INSTANTIATE_TEST_SUITE_P(Jvms, StormingGcCpu, testing::ValuesIn(those_that_collect_concurrently()), name_of);
INSTANTIATE_TEST_SUITE_P(Jvms, GcCpu, testing::ValuesIn(all_combinations()), name_of);
INSTANTIATE_TEST_SUITE_P(Jvms, CountedGcCpu, testing::ValuesIn(those_that_count()), name_of);

}  // namespace
}  // namespace manometer::test
