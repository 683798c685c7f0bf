#include "agent/jvm/perf_sample.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/perf_data.h"

namespace manometer::jvm {
namespace {

using test::fixture_truth;
using test::perf_data;
using test::PerfData;

PerfSample sample_of(const PerfData& data) {
  const auto region = data.build();
  const auto layout = PerfLayout::resolve(region);
  if (!layout || !*layout) throw std::runtime_error("cannot be resolved");
  return (*layout)->read(region);
}

JvmIdentity identity_of(const std::string& fixture) {
  return (*PerfLayout::resolve(PerfData::from_fixture(fixture).build()))->identity();
}

uint64_t truth(const std::string& fixture, const std::string& key) {
  return std::stoull(fixture_truth(fixture, key).at(0).at(0));
}

/// Name of each fixture: <jdk>-<collector>.
class RealJvm : public testing::TestWithParam<std::string> {
 protected:
  std::string fixture() const { return GetParam(); }
  int jdk() const { return std::stoi(fixture()); }
  bool is(std::string_view collector) const { return fixture().ends_with("-" + std::string(collector)); }
  PerfSample sample() const { return sample_of(PerfData::from_fixture(fixture())); }
};

TEST_P(RealJvm, HeapMaxIsXmx) {
  EXPECT_EQ(sample().heap.max_bytes, truth(fixture(), "max_heap"));
}

TEST_P(RealJvm, ThreadsClassesAndCompilationAreTheBeans) {
  const PerfSample now = sample();
  EXPECT_EQ(now.threads, truth(fixture(), "threads"));
  EXPECT_EQ(now.daemon_threads, truth(fixture(), "daemon_threads"));
  EXPECT_EQ(now.started_threads, truth(fixture(), "started_threads"));
  EXPECT_EQ(now.loaded_classes, truth(fixture(), "loaded_classes"));
  EXPECT_EQ(now.unloaded_classes, truth(fixture(), "unloaded_classes"));
  constexpr uint64_t kNsPerMs = 1'000'000;
  EXPECT_NEAR(static_cast<double>(*now.jit_ns / kNsPerMs), static_cast<double>(truth(fixture(), "jit_ms")), 1.0);
}

/// Those whose counters are taken after a collection.
class RealJvmThatTells : public RealJvm {};

TEST_P(RealJvmThatTells, OldGenerationAfterAFullCollectionIsTheBeans) {
  size_t compared = 0;
  for (const auto& pool : fixture_truth(fixture(), "pool")) {
    const bool is_old = pool[0].ends_with("Old Gen") || pool[0] == "Tenured Gen";
    if (!is_old) continue;
    EXPECT_EQ(sample().generations.back().used_bytes, std::stoull(pool.at(3)));
    ++compared;
  }
  EXPECT_EQ(compared, 1U);
}

uint64_t counter(const std::string& fixture, const std::string& name) {
  const auto region = PerfData::from_fixture(fixture).build();
  const auto catalog = parse_perf_catalog(region);
  const auto found = catalog->find(name);
  return found == catalog->end() ? 0 : static_cast<uint64_t>(read_long(region, found->second.offset));
}

TEST_P(RealJvm, CommittedIsTheBeansPlusTheEmptySurvivorSpace) {
  uint64_t beans = 0;
  for (const auto& pool : fixture_truth(fixture(), "pool")) beans += std::stoull(pool.at(2));
  const uint64_t more = *sample().heap.committed_bytes - beans;
  const std::string young = "sun.gc.generation.0.";
  if (is("parallel")) {
    // It moves the borders of its spaces and may leave a gap between them.
    EXPECT_GE(more,
              std::min(counter(fixture(), young + "space.1.capacity"), counter(fixture(), young + "space.2.capacity")));
    EXPECT_LE(more, counter(fixture(), young + "capacity") - counter(fixture(), young + "space.0.capacity"));
  } else if (is("serial") || is("cms")) {
    EXPECT_EQ(more, counter(fixture(), young + "space.1.capacity"));
  } else {
    EXPECT_EQ(more, 0U);
  }
}

TEST_P(RealJvm, CollectorsAreCalledAndCountedAsTheBeans) {
  std::map<std::string_view, uint64_t> runs;
  for (const CollectorSample& collector : sample().collectors) {
    if (!collector.name.counts_phases) runs[collector.name.bean] += collector.runs;
  }
  for (const auto& gc : fixture_truth(fixture(), "gc")) {
    const auto found = runs.find(gc.at(0));
    if (gc[0] == "ConcurrentMarkSweep" || found == runs.end()) continue;  // its bean counts cycles of two pauses
    EXPECT_EQ(found->second, std::stoull(gc.at(1))) << gc[0];
  }
}

TEST_P(RealJvm, SafepointsAreThere) {
  const PerfSample now = sample();
  ASSERT_TRUE(now.safepoints && now.safepoint_ns && now.safepoint_sync_ns);
  EXPECT_GE(*now.safepoint_ns, *now.safepoint_sync_ns);
}

TEST_P(RealJvm, IdentityIsKnown) {
  const JvmIdentity identity = identity_of(fixture());
  EXPECT_EQ(identity.vm, "OpenJDK 64-Bit Server VM");
  EXPECT_THAT(identity.version, testing::StartsWith(jdk() == 8 ? "1.8." : std::to_string(jdk()) + "."));
}

std::string test_name(const testing::TestParamInfo<std::string>& test) {
  std::string name = "Jdk" + test.param;
  std::erase(name, '-');
  return name;
}

std::vector<std::string> fixtures_that_tell() {
  std::vector<std::string> names = test::perf_data_fixtures();
  std::erase_if(names, [](const std::string& name) {
    return name.ends_with("zgc") || name.ends_with("shenandoah") || name.ends_with("epsilon");
  });
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, RealJvm, testing::ValuesIn(test::perf_data_fixtures()), test_name);
INSTANTIATE_TEST_SUITE_P(All, RealJvmThatTells, testing::ValuesIn(fixtures_that_tell()), test_name);

TEST(PerfSample, CollectorFamilies) {
  const std::map<std::string, std::string> expected{
      {"8-serial", "Serial"},
      {"8-parallel", "Parallel"},
      {"8-cms", "CMS"},
      {"8-g1", "G1"},
      {"11-cms", "CMS"},
      {"11-zgc", "ZGC"},
      {"11-epsilon", "Epsilon"},
      {"17-zgc", "ZGC"},
      {"17-shenandoah", "Shenandoah"},
      {"21-generational-zgc", "Generational ZGC"},
      {"25-generational-zgc", "Generational ZGC"},
      {"25-g1", "G1"},
      {"25-generational-shenandoah", "Shenandoah"},
      {"25-epsilon", "Epsilon"},
  };
  for (const auto& [fixture, family] : expected) EXPECT_EQ(identity_of(fixture).collector, family) << fixture;
}

TEST(PerfSample, HowFreshUsedIs) {
  EXPECT_EQ(identity_of("17-serial").used_update, UsedUpdate::kPeriodically);
  EXPECT_EQ(identity_of("8-cms").used_update, UsedUpdate::kPeriodically);
  EXPECT_EQ(identity_of("25-serial").used_update, UsedUpdate::kAtGc);
  EXPECT_EQ(identity_of("25-parallel").used_update, UsedUpdate::kAtGc);
  EXPECT_EQ(identity_of("8-g1").used_update, UsedUpdate::kContinuously);
  EXPECT_EQ(identity_of("25-g1").used_update, UsedUpdate::kContinuously);
  EXPECT_EQ(identity_of("17-zgc").used_update, UsedUpdate::kAtGc);
  EXPECT_EQ(identity_of("25-shenandoah").used_update, UsedUpdate::kPeriodically);
}

PerfData minimal(const std::string& specification) {
  return perf_data()
      .add_long("sun.os.hrt.frequency", 1'000'000'000)
      .add_long("sun.rt.safepointTime", 500)
      .add_long("sun.rt.safepointSyncTime", 100)
      .add_string("java.property.java.vm.specification.version", specification);
}

TEST(PerfSample, SafepointTimeIncludesTheSyncOnEveryJdk) {
  EXPECT_EQ(sample_of(minimal("1.8")).safepoint_ns, 500U) << "the JVM has added it";
  EXPECT_EQ(sample_of(minimal("11")).safepoint_ns, 500U);
  EXPECT_EQ(sample_of(minimal("17")).safepoint_ns, 600U);
  EXPECT_EQ(sample_of(minimal("25")).safepoint_ns, 600U);
}

TEST(PerfSample, TicksAreConverted) {
  PerfData data = minimal("17");
  data.set_long("sun.os.hrt.frequency", 1'000'000);
  EXPECT_EQ(sample_of(data).safepoint_ns, 600'000U);
}

TEST(PerfSample, WithoutAFrequencyItIsNotCompleteYet) {
  const auto layout = PerfLayout::resolve(perf_data().add_long("java.threads.live", 1).build());
  ASSERT_TRUE(layout.ok());
  EXPECT_FALSE(layout->has_value());
}

TEST(PerfSample, NegativeValuesAreNotExported) {
  PerfData data = PerfData::from_fixture("17-g1");
  data.set_long("java.threads.live", -1).set_long("sun.gc.generation.0.space.0.used", -5);
  const PerfSample now = sample_of(data);
  EXPECT_FALSE(now.threads);
  EXPECT_FALSE(now.heap.used_bytes) << "a sum with a part missing would be too low";
  EXPECT_TRUE(now.heap.committed_bytes);
}

TEST(PerfSample, CausesOutsideTheVocabularyAreNotTaken) {
  PerfData data = minimal("17").add_string("sun.gc.lastCause", "evil\"} 1\n", 81);
  EXPECT_EQ(sample_of(data).last_cause, "other");
}

TEST(PerfSample, IdentityIsCutAndPrintable) {
  const PerfData data = minimal("17")
                            .add_string("java.property.java.vm.name", std::string(200, 'x') + "\n")
                            .add_string("java.property.java.vm.version", "17\x01\xFF");
  const JvmIdentity identity = (*PerfLayout::resolve(data.build()))->identity();
  EXPECT_EQ(identity.vm, std::string(64, 'x'));
  EXPECT_EQ(identity.version, "17??");
}

TEST(PerfSample, ReadsNoFurtherThanItSays) {
  const auto region = PerfData::from_fixture("17-g1").build();
  const auto layout = PerfLayout::resolve(region);
  ASSERT_LT((*layout)->bytes(), region.size());
  // A copy of exactly that length: the sanitizers see a read beyond it.
  const std::vector<std::byte> prefix(region.begin(), region.begin() + static_cast<ptrdiff_t>((*layout)->bytes()));
  EXPECT_EQ((*layout)->read(prefix).heap.max_bytes, (*layout)->read(region).heap.max_bytes);
}

}  // namespace
}  // namespace manometer::jvm
