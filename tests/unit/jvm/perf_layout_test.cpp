#include "agent/jvm/perf_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/perf_data.h"

namespace manometer::jvm {
namespace {

using test::perf_data;
using test::PerfData;

PerfSample sample_of(const PerfData& data) {
  const auto region = data.build();
  const auto layout = PerfLayout::resolve(region);
  if (!layout || !*layout) throw std::runtime_error("cannot be resolved");
  return (*layout)->read(region);
}

PerfData minimal(const std::string& specification) {
  return perf_data()
      .add_long("sun.os.hrt.frequency", 1'000'000'000)
      .add_long("sun.rt.safepointTime", 500)
      .add_long("sun.rt.safepointSyncTime", 100)
      .add_string("java.property.java.vm.specification.version", specification);
}

TEST(PerfLayout, SafepointTimeIncludesTheSyncOnEveryJdk) {
  EXPECT_EQ(sample_of(minimal("1.8")).safepoint_ns, 500U) << "the JVM has added it";
  EXPECT_EQ(sample_of(minimal("11")).safepoint_ns, 500U);
  EXPECT_EQ(sample_of(minimal("17")).safepoint_ns, 600U);
  EXPECT_EQ(sample_of(minimal("25")).safepoint_ns, 600U);
}

TEST(PerfLayout, TicksAreConverted) {
  PerfData data = minimal("17");
  data.set_long("sun.os.hrt.frequency", 1'000'000);
  EXPECT_EQ(sample_of(data).safepoint_ns, 600'000U);
}

TEST(PerfLayout, WithoutAFrequencyItIsNotCompleteYet) {
  const auto layout = PerfLayout::resolve(perf_data().add_long("java.threads.live", 1).build());
  ASSERT_TRUE(layout.ok());
  EXPECT_FALSE(layout->has_value());
}

TEST(PerfLayout, NegativeValuesAreNotExported) {
  PerfData data = PerfData::from_fixture("17-g1");
  data.set_long("java.threads.live", -1).set_long("sun.gc.generation.0.space.0.used", -5);
  const PerfSample now = sample_of(data);
  EXPECT_FALSE(now.threads);
  EXPECT_FALSE(now.heap.used_bytes) << "a sum with a part missing would be too low";
  EXPECT_TRUE(now.heap.committed_bytes);
}

TEST(PerfLayout, CausesOutsideTheVocabularyAreNotTaken) {
  PerfData data = minimal("17").add_string("sun.gc.lastCause", "evil\"} 1\n", 81);
  EXPECT_EQ(sample_of(data).last_cause, "other");
}

TEST(PerfLayout, IdentityIsCutAndPrintable) {
  const PerfData data = minimal("17")
                            .add_string("java.property.java.vm.name", std::string(200, 'x') + "\n")
                            .add_string("java.property.java.vm.version", "17\x01\xFF");
  const JvmIdentity identity = (*PerfLayout::resolve(data.build()))->identity();
  EXPECT_EQ(identity.vm, std::string(64, 'x'));
  EXPECT_EQ(identity.version, "17??");
}

TEST(PerfLayout, ReadsNoFurtherThanItSays) {
  const auto region = PerfData::from_fixture("17-g1").build();
  const auto layout = PerfLayout::resolve(region);
  ASSERT_LT((*layout)->bytes(), region.size());
  // A copy of exactly that length: the sanitizers see a read beyond it.
  const std::vector<std::byte> prefix(region.begin(), region.begin() + static_cast<ptrdiff_t>((*layout)->bytes()));
  EXPECT_EQ((*layout)->read(prefix).heap.max_bytes, (*layout)->read(region).heap.max_bytes);
}

}  // namespace
}  // namespace manometer::jvm
