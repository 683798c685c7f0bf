// The counters of real JVMs, every JDK with every collector, against what the same JVM said of itself at that moment:
// its management beans and its own log.

#include <algorithm>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/jvm/perf_layout.h"
#include "tests/support/perf_data.h"

namespace manometer::jvm {
namespace {

using test::fixture_truth;
using test::PerfData;

/// What cannot be had from the beans, by fixture: <jdk>-<collector>, where 17deb is Debian's build with its archive of
/// shared classes.
struct Expected {
  std::string_view fixture;
  std::string_view family;
  UsedUpdate updated;
  size_t generations;
};

constexpr auto kContinuously = UsedUpdate::kContinuously;
constexpr auto kPeriodically = UsedUpdate::kPeriodically;
constexpr auto kAtGc = UsedUpdate::kAtGc;

constexpr auto kExpected = std::to_array<Expected>({
    {"8-serial", "Serial", kPeriodically, 2},
    {"8-parallel", "Parallel", kPeriodically, 2},
    {"8-psmarksweep", "Parallel", kPeriodically, 2},
    {"8-parnew", "Serial", kPeriodically, 2},
    {"8-cms", "CMS", kPeriodically, 2},
    {"8-g1", "G1", kContinuously, 2},
    {"11-serial", "Serial", kPeriodically, 2},
    {"11-parallel", "Parallel", kPeriodically, 2},
    {"11-psmarksweep", "Parallel", kPeriodically, 2},
    {"11-cms", "CMS", kPeriodically, 2},
    {"11-g1", "G1", kContinuously, 2},
    {"11-zgc", "ZGC", kAtGc, 1},
    {"11-shenandoah", "Shenandoah", kPeriodically, 1},
    {"11-epsilon", "Epsilon", kContinuously, 1},
    {"17-serial", "Serial", kPeriodically, 2},
    {"17-parallel", "Parallel", kPeriodically, 2},
    {"17-g1", "G1", kContinuously, 2},
    {"17-zgc", "ZGC", kAtGc, 1},
    {"17-shenandoah", "Shenandoah", kPeriodically, 1},
    {"17-epsilon", "Epsilon", kContinuously, 1},
    {"17deb-serial", "Serial", kPeriodically, 2},
    {"17deb-g1", "G1", kContinuously, 2},
    {"17deb-shenandoah", "Shenandoah", kPeriodically, 1},
    {"21-serial", "Serial", kPeriodically, 2},
    {"21-parallel", "Parallel", kPeriodically, 2},
    {"21-g1", "G1", kContinuously, 2},
    {"21-zgc", "ZGC", kAtGc, 1},
    {"21-generational-zgc", "Generational ZGC", kAtGc, 2},
    {"21-shenandoah", "Shenandoah", kPeriodically, 1},
    {"21-epsilon", "Epsilon", kContinuously, 1},
    {"25-serial", "Serial", kAtGc, 2},
    {"25-parallel", "Parallel", kAtGc, 2},
    {"25-g1", "G1", kContinuously, 2},
    {"25-generational-zgc", "Generational ZGC", kAtGc, 2},
    {"25-shenandoah", "Shenandoah", kPeriodically, 1},
    {"25-generational-shenandoah", "Shenandoah", kPeriodically, 1},
    {"25-epsilon", "Epsilon", kContinuously, 1},
});

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const Expected& expected, std::ostream* out) {
  *out << expected.fixture;
}

TEST(RealJvms, AllFixturesAreExpected) {
  std::vector<std::string_view> expected;
  std::ranges::transform(kExpected, std::back_inserter(expected), &Expected::fixture);
  EXPECT_THAT(test::perf_data_fixtures(), testing::UnorderedElementsAreArray(expected));
}

/// A line of truth on one of the JVM's collectors, as its GarbageCollectorMXBean has it.
struct Bean {
  uint64_t runs = 0;
  uint64_t ms = 0;
};

class RealJvm : public testing::TestWithParam<Expected> {
 protected:
  RealJvm() : region_(PerfData::from_fixture(fixture()).build()) {
    auto layout = PerfLayout::resolve(region_);
    if (!layout || !*layout) throw std::runtime_error("cannot be resolved");
    identity_ = (*layout)->identity();
    sample_ = (*layout)->read(region_);
  }

  static std::string fixture() { return std::string(GetParam().fixture); }
  static int jdk() { return std::stoi(fixture()); }
  static bool is(std::string_view family) { return GetParam().family == family; }

  static uint64_t truth(const std::string& key) { return std::stoull(fixture_truth(fixture(), key).at(0).at(0)); }
  static std::map<std::string, Bean> beans() {
    std::map<std::string, Bean> out;
    for (const auto& gc : fixture_truth(fixture(), "gc"))
      out[gc.at(0)] = {std::stoull(gc.at(1)), std::stoull(gc.at(2))};
    return out;
  }

  /// 0 if the JVM has no such counter.
  uint64_t counter(const std::string& name) const {
    const auto catalog = parse_perf_catalog(region_);
    const auto found = catalog->find(name);
    return found == catalog->end() ? 0 : static_cast<uint64_t>(read_long(region_, found->second.offset));
  }

  std::vector<std::byte> region_;
  JvmIdentity identity_;
  PerfSample sample_;
};

TEST_P(RealJvm, IsKnown) {
  EXPECT_EQ(identity_.vm, "OpenJDK 64-Bit Server VM");
  EXPECT_THAT(identity_.version, testing::StartsWith(jdk() == 8 ? "1.8." : std::to_string(jdk()) + "."));
  EXPECT_EQ(identity_.collector, GetParam().family);
  EXPECT_EQ(identity_.used_update, GetParam().updated);
}

TEST_P(RealJvm, HeapMaxIsXmx) {
  EXPECT_EQ(sample_.heap.max_bytes, truth("max_heap"));
}

TEST_P(RealJvm, HeapUsedIsTheBeansWhereItIsUpToDate) {
  uint64_t spaces = 0;
  for (const char* space : {"0.space.0", "0.space.1", "0.space.2", "1.space.0"})
    spaces += counter(std::string("sun.gc.generation.") + space + ".used");
  EXPECT_EQ(sample_.heap.used_bytes, spaces);
  if (identity_.used_update != kAtGc) {
    EXPECT_EQ(sample_.heap.used_bytes, truth("heap_used"));
  }
}

TEST_P(RealJvm, GenerationsAreTheHeap) {
  ASSERT_EQ(sample_.generations.size(), GetParam().generations);
  uint64_t used = 0;
  uint64_t committed = 0;
  for (const GenerationSample& generation : sample_.generations) {
    used += generation.used_bytes.value();
    committed += generation.committed_bytes.value();
    EXPECT_LE(generation.used_bytes, generation.committed_bytes);
    EXPECT_LE(generation.committed_bytes, generation.max_bytes);
    EXPECT_LE(generation.max_bytes, sample_.heap.max_bytes);
  }
  EXPECT_EQ(sample_.heap.used_bytes, used);
  EXPECT_EQ(sample_.heap.committed_bytes, committed);
}

TEST_P(RealJvm, CommittedIsTheBeansPlusTheEmptySurvivorSpace) {
  uint64_t in_beans = 0;
  for (const auto& pool : fixture_truth(fixture(), "pool")) in_beans += std::stoull(pool.at(2));
  const uint64_t more = *sample_.heap.committed_bytes - in_beans;
  const std::string young = "sun.gc.generation.0.";
  const uint64_t s0 = counter(young + "space.1.capacity");
  const uint64_t s1 = counter(young + "space.2.capacity");
  if (is("Parallel")) {
    // It moves the borders of its spaces and may leave a gap between them.
    EXPECT_GE(more, std::min(s0, s1));
    EXPECT_LE(more, counter(young + "capacity") - counter(young + "space.0.capacity"));
  } else if (is("Serial") || is("CMS")) {
    EXPECT_EQ(more, s0);
  } else {
    EXPECT_EQ(more, 0U);
  }
}

/// Those that bring the old generation's use up to date after a collection of it.
class RealOldGeneration : public RealJvm {};

TEST_P(RealOldGeneration, AfterAFullCollectionIsTheBeans) {
  const auto pools = fixture_truth(fixture(), "pool");
  const auto is_old = [](const auto& pool) { return pool[0].ends_with("Old Gen") || pool[0] == "Tenured Gen"; };
  ASSERT_EQ(std::ranges::count_if(pools, is_old), 1);
  EXPECT_EQ(sample_.generations.back().used_bytes, std::stoull(std::ranges::find_if(pools, is_old)->at(3)));
}

TEST_P(RealJvm, CollectorsAreTheBeans) {
  const auto known = beans();
  for (const CollectorSample& collector : sample_.collectors) {
    const std::string name(collector.name.bean);
    const auto bean = known.find(name);
    if (bean == known.end()) {
      EXPECT_TRUE(is("G1") && jdk() < 20 && name == "G1 Concurrent GC") << name << ": the bean is of JDK 20";
    } else if (name != "ConcurrentMarkSweep" && !collector.name.counts_phases) {
      EXPECT_EQ(collector.runs, bean->second.runs) << name;
      // The bean cuts every run to milliseconds.
      EXPECT_GE(collector.time_ns / 1'000'000, bean->second.ms) << name;
      EXPECT_LE(collector.time_ns / 1'000'000, bean->second.ms + 1) << name;
    }
  }
}

TEST_P(RealJvm, BeansAreCollectorsUnlessTheyCountCycles) {
  for (const auto& [name, bean] : beans()) {
    const bool ours =
        std::ranges::any_of(sample_.collectors, [&](const auto& collector) { return collector.name.bean == name; });
    const bool cycles = name.ends_with(" Cycles") || name == "ZGC" || is("Epsilon");
    EXPECT_EQ(ours, !cycles) << name;
  }
}

class RealCms : public RealJvm {};

TEST_P(RealCms, CountsTwoPausesACycle) {
  uint64_t runs = 0;
  uint64_t ns = 0;
  for (const CollectorSample& collector : sample_.collectors) {
    if (collector.name.bean != "ConcurrentMarkSweep") continue;
    runs += collector.runs;
    ns += collector.time_ns;
  }
  constexpr uint64_t kFulls = 1;  // one System.gc()
  const Bean bean = beans().at("ConcurrentMarkSweep");
  EXPECT_EQ(runs, 2 * (bean.runs - kFulls) + kFulls);
  EXPECT_EQ(ns / 1'000'000, bean.ms);
}

TEST_P(RealJvm, StoppedTimeIsThatOfTheLog) {
  ASSERT_TRUE(sample_.safepoints && sample_.safepoint_ns && sample_.safepoint_sync_ns);
  EXPECT_EQ(sample_.safepoints, counter("sun.rt.safepoints"));
  EXPECT_EQ(sample_.safepoint_sync_ns, counter("sun.rt.safepointSyncTime"));
  EXPECT_GE(*sample_.safepoint_ns, *sample_.safepoint_sync_ns);
  if (jdk() == 8) return;  // its log is not flushed, so it lacked the last stop
  const uint64_t log = truth("stopped_ns");
  if (jdk() >= 17) {
    EXPECT_EQ(sample_.safepoint_ns, log);
  } else {
    constexpr uint64_t kWriting = 5'000;  // JDK 11 counts the writing of its log with each stop
    EXPECT_GE(*sample_.safepoint_ns, log);
    EXPECT_LE(*sample_.safepoint_ns, log + *sample_.safepoints * kWriting);
  }
}

TEST_P(RealJvm, ThreadsClassesAndCompilationAreTheBeans) {
  EXPECT_EQ(sample_.threads, truth("threads"));
  EXPECT_EQ(sample_.daemon_threads, truth("daemon_threads"));
  EXPECT_EQ(sample_.started_threads, truth("started_threads"));
  EXPECT_EQ(sample_.loaded_classes, truth("loaded_classes"));
  EXPECT_EQ(sample_.unloaded_classes, truth("unloaded_classes"));
  // The bean was asked some microseconds after the counters, while methods were compiled.
  EXPECT_LE(*sample_.jit_ns / 1'000'000, truth("jit_ms"));
  EXPECT_GE(*sample_.jit_ns / 1'000'000 + 1, truth("jit_ms"));
}

TEST_P(RealJvm, MetaspaceIsThatOfTheLastCollection) {
  EXPECT_EQ(sample_.metaspace.used_bytes, counter("sun.gc.metaspace.used"));
  EXPECT_EQ(sample_.metaspace.committed_bytes, counter("sun.gc.metaspace.capacity"));
  EXPECT_EQ(sample_.metaspace.max_bytes, counter("sun.gc.metaspace.maxCapacity"));
  if (is("Shenandoah") || is("Epsilon")) return;  // they bring it up to date without a collection
  EXPECT_EQ(sample_.metaspace.used_bytes, truth("metaspace_after_gc"));
}

std::string test_name(const testing::TestParamInfo<Expected>& test) {
  std::string name = "Jdk" + std::string(test.param.fixture);
  std::erase(name, '-');
  return name;
}

std::vector<Expected> of_families(std::initializer_list<std::string_view> families) {
  std::vector<Expected> out;
  std::ranges::copy_if(kExpected, std::back_inserter(out), [&](const Expected& expected) {
    return std::ranges::find(families, expected.family) != families.end();
  });
  return out;
}

INSTANTIATE_TEST_SUITE_P(All, RealJvm, testing::ValuesIn(kExpected), test_name);
INSTANTIATE_TEST_SUITE_P(All, RealOldGeneration, testing::ValuesIn(of_families({"Serial", "Parallel", "CMS", "G1"})),
                         test_name);
INSTANTIATE_TEST_SUITE_P(All, RealCms, testing::ValuesIn(of_families({"CMS"})), test_name);

}  // namespace
}  // namespace manometer::jvm
