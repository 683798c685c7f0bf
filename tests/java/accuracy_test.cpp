// What the agent exports of a JVM equals what that JVM says of itself, for every JDK and collector. Without the
// kernel's help: what that adds is tested in pauses_test.cpp and stalls_test.cpp.

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <span>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/java/combinations.h"
#include "tests/java/jvm.h"
#include "tests/java/moment.h"
#include "tests/support/skip.h"

namespace manometer::test {
namespace {

using testing::AllOf;
using testing::Eq;
using testing::Ge;
using testing::Le;
using testing::Matcher;

constexpr double kMegabyte = 1 << 20;
constexpr double kMaxHeap = 256 * kMegabyte;
constexpr double kRetained = 40 * kMegabyte;

auto between(double low, double high) {
  return AllOf(Ge(std::min(low, high)), Le(std::max(low, high)));
}

class Accuracy : public testing::TestWithParam<Combination> {
 protected:
  static void SetUpTestSuite() {
    agent = std::make_unique<Agent>(std::vector<std::string>{"--sample-interval", "100ms", "--bpf", "off"});
  }
  static void TearDownTestSuite() { agent.reset(); }

  void SetUp() override {
    const auto jdk = fetch_jdk(GetParam().jdk);
    if (!jdk) MANOMETER_SKIP(jdk.error().message());
    if (const auto classes = workload_classes(); !classes) MANOMETER_SKIP(classes.error().message());
    JvmSetup setup{.options = GetParam().options, .gc_log = true};
    setup.options.emplace_back("-Xmx256m");
    // Parallel's counters include what its sizing leaves unused; with all of the heap committed, its size is known.
    // And so much of it does not make CMS begin a cycle.
    setup.options.emplace_back(is("Parallel") || is("CMS") ? "-Xms256m" : "-Xms128m");
    jvm_ = std::make_unique<Jvm>(*jdk, setup);
  }

  bool is(std::string_view collector) const { return GetParam().collector == collector; }
  bool is_zgc() const { return GetParam().collector.ends_with("ZGC"); }
  bool tells_collections() const { return is("Serial") || is("Parallel") || is("CMS") || is("G1"); }
  bool has_no_counters() const { return is("ZGC") && GetParam().jdk == 11; }
  /// The next collection of generational Shenandoah follows at once, and the counters tell the last cause only.
  bool tells_causes() const { return !has_no_counters() && GetParam().name != "GenerationalShenandoah"; }

  /// A live set, and nothing left to collect, to load or to unload.
  void come_to_rest() {
    for (const char* command : {"report", "threads 5", "classes 30", "retain 40", "gc", "classes 10", "gc"})
      jvm_->command(command);
    before_collection_ = jvm_->report();
    jvm_->command("gc");
  }

  Moment moment_at_rest();
  bool used_agrees(const Moment& moment) const;
  void expect_rest(const Moment& moment) const;
  void expect_identity(const Moment& moment) const;
  void expect_heap(const Moment& moment) const;
  void expect_live_set(const Moment& moment) const;
  void expect_lowest_use(const Moment& moment) const;
  void expect_runtime(const Moment& moment) const;
  void expect_pause_counts(const Moment& moment, const std::vector<Safepoint>& log) const;
  void expect_sums(const Moment& start, const Moment& end, std::span<const Safepoint> log) const;
  void expect_one_system_gc();
  void expect_pauses();

  static std::unique_ptr<Agent> agent;
  std::unique_ptr<Jvm> jvm_;
  Report before_collection_;
};

std::unique_ptr<Agent> Accuracy::agent;

Moment Accuracy::moment_at_rest() {
  std::optional<Moment> moment;
  // Some JVMs count what is used every 100 ms only, and a concurrent collection may still be freeing.
  eventually([&] { return used_agrees(moment.emplace(quiet_moment(*agent, *jvm_))); });
  return *std::move(moment);
}

bool Accuracy::used_agrees(const Moment& moment) const {
  const double used = moment.value("manometer_jvm_heap_used_bytes");
  if (GetParam().updated != "at_gc") return used >= moment.before.heap_used && used <= moment.after.heap_used;
  const double left = moment.before.heap_used_after_collection();
  // ZGC takes it at its pauses, before it frees.
  return is_zgc() ? used >= left && used <= kMaxHeap : used == left;
}

void Accuracy::expect_identity(const Moment& moment) const {
  LabelMap info = moment.labels;
  info["vm"] = moment.before.vm;
  // In JDK 8 the VM has a version of its own, which nobody knows it by.
  info["version"] = GetParam().jdk == 8 ? moment.before.java_version : moment.before.vm_version;
  info["collector"] = GetParam().collector;
  info["tier"] = "hsperfdata";
  EXPECT_EQ(moment.scraped.value("manometer_jvm_info", info), 1)
      << testing::PrintToString(info) << " but "
      << testing::PrintToString(moment.scraped.all("manometer_jvm_info", moment.labels).at(0).labels);
}

void Accuracy::expect_heap(const Moment& moment) const {
  EXPECT_EQ(moment.value("manometer_jvm_heap_max_bytes"), kMaxHeap);
  EXPECT_TRUE(used_agrees(moment)) << moment.value("manometer_jvm_heap_used_bytes") << " against "
                                   << moment.before.heap_used << " to " << moment.after.heap_used << ", after gc "
                                   << moment.before.heap_used_after_collection();
  LabelMap used = moment.labels;
  used["updated"] = GetParam().updated;
  EXPECT_TRUE(moment.scraped.value("manometer_jvm_heap_used_bytes", used)) << testing::PrintToString(used);

  const double committed = moment.value("manometer_jvm_heap_committed_bytes");
  if (is("Parallel")) {
    EXPECT_EQ(committed, kMaxHeap);
  } else if (is("Serial") || is("CMS")) {
    EXPECT_EQ(committed, moment.before.heap_committed + moment.before.heap_pool("Survivor Space").committed)
        << "the bean leaves out the empty survivor space";
  } else {
    EXPECT_THAT(committed, between(moment.before.heap_committed, moment.after.heap_committed));
  }
}

void Accuracy::expect_live_set(const Moment& moment) const {
  LabelMap live = moment.labels;
  live["source"] = "collection";
  const Report::Pool old = moment.before.heap_pool(is("Serial") ? "Tenured Gen" : "Old Gen");
  EXPECT_EQ(moment.scraped.value("manometer_jvm_heap_live_bytes", live), old.used_after_collection);
  LabelMap generation = moment.labels;
  generation["generation"] = "old";
  EXPECT_EQ(moment.scraped.value("manometer_jvm_generation_used_bytes", generation), old.used);
}

/// What the others export for the live set is the lowest use that the agent has seen, so it is not below what was alive
/// all that time. One that comes now sees no time when less was.
void Accuracy::expect_lowest_use(const Moment& moment) const {
  const Agent newcomer({"--sample-interval", "100ms", "--bpf", "off"});
  LabelMap live = moment.labels;
  live["source"] = "lowest_used";
  const auto bytes = fresh_scrape(newcomer, moment.labels).value("manometer_jvm_heap_live_bytes", live);
  ASSERT_TRUE(bytes);
  const double truth = is("Generational ZGC") ? moment.before.heap_pool("Old Generation").used_after_collection
                                              : moment.before.heap_used_after_collection();
  EXPECT_THAT(*bytes, AllOf(Ge(kRetained), Ge(truth), Le(kMaxHeap)));
  std::cout << "live bytes above the truth: " << *bytes - truth << '\n';
}

void Accuracy::expect_runtime(const Moment& moment) const {
  const Report& beans = moment.before;
  EXPECT_EQ(moment.value("manometer_jvm_threads"), beans.threads);
  EXPECT_EQ(moment.value("manometer_jvm_daemon_threads"), beans.daemon_threads);
  EXPECT_EQ(moment.value("manometer_jvm_threads_started_total"), beans.started_threads);
  EXPECT_EQ(moment.value("manometer_jvm_classes_loaded"), beans.loaded_classes);
  EXPECT_EQ(moment.value("manometer_jvm_classes_unloaded_total"), beans.unloaded_classes);
  EXPECT_THAT(moment.value("manometer_jvm_jit_seconds_total") * 1000,
              AllOf(Ge(beans.jit_milliseconds), Le(moment.after.jit_milliseconds + 1)));
  const auto metaspace = [](const Report& report) { return report.other_pools.at("Metaspace"); };
  // As of the last collection, since which nothing was loaded; but the compiler takes a little now and then.
  EXPECT_THAT(moment.value("manometer_jvm_metaspace_used_bytes"),
              between(metaspace(before_collection_).used, metaspace(moment.after).used));
  EXPECT_THAT(moment.value("manometer_jvm_metaspace_committed_bytes"),
              between(metaspace(before_collection_).committed, metaspace(moment.after).committed));
}

void Accuracy::expect_rest(const Moment& moment) const {
  expect_identity(moment);
  expect_heap(moment);
  expect_runtime(moment);
  if (is("Epsilon")) {
    EXPECT_FALSE(moment.scraped.value("manometer_jvm_heap_live_bytes", moment.labels)) << "it never collects";
  } else if (tells_collections()) {
    expect_live_set(moment);
  } else {
    expect_lowest_use(moment);
  }
}

/// Number of GC pauses the agent has counted.
double pauses(const Moment& moment, LabelMap labels) {
  labels.insert(moment.labels.begin(), moment.labels.end());
  return moment.scraped.sum("manometer_jvm_gc_pause_seconds_count", labels);
}

void Accuracy::expect_pause_counts(const Moment& moment, const std::vector<Safepoint>& log) const {
  const auto gc_stops = std::ranges::count_if(log, &Safepoint::for_gc);
  const auto other_stops = std::ssize(log) - gc_stops;
  double known = 0;
  for (const auto& [name, bean] : moment.before.collectors) {
    const double counted = pauses(moment, {{"collector", name}});
    known += counted;
    if (name.ends_with("Cycles") || name == "ZGC") {
      EXPECT_EQ(counted, 0) << name << " counts no pauses";
    } else if (name == "ConcurrentMarkSweep") {
      EXPECT_THAT(counted, between(bean.count, 2 * bean.count)) << "a concurrent cycle has two pauses";
    } else if (name == "Shenandoah Pauses") {
      // Its counter has the concurrent phases too, so the stops are counted: others with them, and one may begin in a
      // sample before that in which it is seen to be for a collection.
      EXPECT_THAT(counted, between(bean.count - 1, bean.count + static_cast<double>(other_stops))) << name;
    } else {
      EXPECT_EQ(counted, bean.count) << name;
    }
  }
  const bool has_unknown_to_beans = is("G1") && (GetParam().jdk == 11 || GetParam().jdk == 17);
  const double of_cycles = has_unknown_to_beans ? static_cast<double>(gc_stops) - known : 0;
  EXPECT_EQ(pauses(moment, {}) - known, of_cycles) << "pauses of G1's concurrent cycles have no bean before JDK 20";
}

void Accuracy::expect_sums(const Moment& start, const Moment& end, std::span<const Safepoint> log) const {
  const auto grown = [&](const char* name) {
    return end.scraped.sum(name, end.labels) - start.scraped.sum(name, start.labels);
  };
  Safepoint gc;
  Safepoint other;
  for (const Safepoint& stop : log) {
    Safepoint& sum = stop.for_gc ? gc : other;
    sum.seconds += stop.seconds;
    sum.sync_seconds += stop.sync_seconds;
  }
  // Before JDK 13, counters and log look at the clock some microseconds apart.
  const double apart = GetParam().jdk < 13 ? 5e-6 * static_cast<double>(log.size()) : 1e-7;
  const double all = gc.seconds + other.seconds;
  const double sync = gc.sync_seconds + other.sync_seconds;
  EXPECT_NEAR(grown("manometer_jvm_safepoint_seconds_total"), all, 0.01 * all + apart);
  EXPECT_NEAR(grown("manometer_jvm_safepoint_sync_seconds_total"), sync, 0.01 * sync + apart);
  // A stop for another reason in the same sample is counted with those of the collector.
  const double gc_seconds = grown("manometer_jvm_gc_pause_seconds_sum");
  EXPECT_THAT(gc_seconds, AllOf(Ge(0.99 * gc.seconds - apart), Le(1.01 * all + apart))) << "log: " << gc.seconds;
  std::cout << "GC pauses: " << gc_seconds << " s, in the log " << gc.seconds << " s, other stops " << other.seconds
            << " s; all stops: " << grown("manometer_jvm_safepoint_seconds_total") << " s\n";
}

void Accuracy::expect_one_system_gc() {
  const LabelMap system_gc{{"cause", "System.gc()"}};
  const Moment start = quiet_moment(*agent, *jvm_);
  jvm_->command("gc");
  const Moment end = quiet_moment(*agent, *jvm_);
  const double counted = pauses(end, system_gc) - pauses(start, system_gc);
  // Parallel collects the young generation first, and of two collectors the counters tell the cause of the last.
  EXPECT_THAT(counted, tells_collections() ? Matcher<double>(Eq(1)) : Matcher<double>(Ge(1)));
}

void Accuracy::expect_pauses() {
  const Moment start = quiet_moment(*agent, *jvm_);
  jvm_->command("allocate 1200 500");
  const Moment end = quiet_moment(*agent, *jvm_);
  jvm_->end();
  const std::vector<Safepoint> log = jvm_->safepoints();
  const auto first = static_cast<size_t>(start.value("manometer_jvm_safepoints_total"));
  const auto last = static_cast<size_t>(end.value("manometer_jvm_safepoints_total"));
  ASSERT_LE(first, last);
  ASSERT_LE(last, log.size());
  const auto stops = std::span(log).subspan(first, last - first);
  EXPECT_GE(std::ranges::count_if(stops, &Safepoint::for_gc), 5) << "too little to tell anything";
  if (has_no_counters()) {
    EXPECT_EQ(pauses(end, {}), 0);
    return;
  }
  expect_pause_counts(end, {log.begin(), log.begin() + static_cast<std::ptrdiff_t>(last)});
  expect_sums(start, end, stops);
}

TEST_P(Accuracy, AtRestAsTheBeansSayAndInCollectionsAsTheLogDoes) {
  come_to_rest();
  expect_rest(moment_at_rest());
  if (is("Epsilon")) return;
  if (tells_causes()) expect_one_system_gc();
  expect_pauses();
}

TEST(LongPause, IsSeenWholeThoughSamplesFallIntoIt) {
  const auto jdk = fetch_jdk(17);
  if (!jdk) MANOMETER_SKIP(jdk.error().message());
  if (const auto classes = workload_classes(); !classes) MANOMETER_SKIP(classes.error().message());
  const Agent agent({"--sample-interval", "100ms", "--bpf", "off"});
  Jvm jvm(*jdk, {.options = {"-XX:+UseSerialGC", "-Xms1g", "-Xmx1g"}, .gc_log = true});
  jvm.command("retain_small 300");
  const Moment start = quiet_moment(agent, jvm);
  jvm.command("gc");
  const Moment end = quiet_moment(agent, jvm);
  jvm.end();
  const auto stop = jvm.safepoints().at(static_cast<size_t>(start.value("manometer_jvm_safepoints_total")));
  ASSERT_GT(stop.seconds, 0.2) << "too short to tell anything";

  const LabelMap cause{{"collector", "MarkSweepCompact"}, {"cause", "System.gc()"}};
  EXPECT_EQ(pauses(end, cause) - pauses(start, cause), 1);
  const auto seconds = [](const Moment& at) { return at.scraped.sum("manometer_jvm_gc_pause_seconds_sum", at.labels); };
  EXPECT_NEAR(seconds(end) - seconds(start), stop.seconds, 0.01 * stop.seconds);
  EXPECT_EQ(end.value("manometer_jvm_heap_live_bytes"), end.before.heap_pool("Tenured Gen").used_after_collection);
}

std::string name_of(const testing::TestParamInfo<Combination>& info) {
  return info.param.name + std::to_string(info.param.jdk);
}

INSTANTIATE_TEST_SUITE_P(Jvms, Accuracy, testing::ValuesIn(all_combinations()), name_of);

}  // namespace
}  // namespace manometer::test
