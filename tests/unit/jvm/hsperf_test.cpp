#include "agent/jvm/hsperf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/broken_perf_data.h"
#include "tests/support/perf_data.h"

namespace manometer::jvm {
namespace {

using test::perf_data;
using test::PerfData;

constexpr size_t kAccessibleAt = 7;

PerfData two_entries() {
  return perf_data().add_long("a.long", 42).add_string("a.string", "text", 16);
}

TEST(PerfHeader, IsRead) {
  const auto header = parse_perf_header(two_entries().build());
  ASSERT_TRUE(header.ok()) << header.error().message();
  EXPECT_TRUE(header->accessible);
  EXPECT_EQ(header->entries, 2U);
  EXPECT_EQ(header->first_entry, kPerfHeaderBytes);
}

TEST(PerfHeader, TellsThatEntriesAreStillBeingMade) {
  const auto header = parse_perf_header(two_entries().poke<uint8_t>(kAccessibleAt, 0).build());
  ASSERT_TRUE(header.ok());
  EXPECT_FALSE(header->accessible);
}

TEST(PerfHeader, ThatIsBlankIsStillToBeWritten) {
  std::vector<std::byte> region(2 * kPerfHeaderBytes);
  const auto header = parse_perf_header(region);
  ASSERT_TRUE(header.ok()) << header.error().message();
  EXPECT_FALSE(header->accessible);
  region[kPerfHeaderBytes - 1] = std::byte{1};
  EXPECT_FALSE(parse_perf_header(region).ok());
}

TEST(PerfCatalog, FindsNamesAndValues) {
  const auto region = two_entries().build();
  const auto catalog = parse_perf_catalog(region);
  ASSERT_TRUE(catalog.ok()) << catalog.error().message();
  ASSERT_EQ(catalog->size(), 2U);
  EXPECT_EQ(read_long(region, catalog->at("a.long").offset), 42);
  EXPECT_EQ(read_string(region, catalog->at("a.string")), "text");
}

TEST(PerfCatalog, AStringWithoutAnEndIsCutAtItsRoom) {
  const auto region = perf_data().add_string("s", "full", 4).add_string("t", "next").build();
  const auto catalog = parse_perf_catalog(region);
  ASSERT_TRUE(catalog.ok());
  EXPECT_EQ(read_string(region, catalog->at("s")), "full");
}

TEST(PerfCatalog, ReadsEveryRealRegion) {
  for (const std::string& fixture : test::perf_data_fixtures()) {
    const auto catalog = parse_perf_catalog(PerfData::from_fixture(fixture).build());
    ASSERT_TRUE(catalog.ok()) << fixture << ": " << catalog.error().message();
    EXPECT_TRUE(catalog->contains("java.threads.live")) << fixture;
  }
}

TEST(PerfCatalog, TheFirstOfTwoEntriesOfOneNameCounts) {
  const auto region = perf_data().add_long("a", 1).add_long("a", 2).build();
  EXPECT_EQ(read_long(region, parse_perf_catalog(region)->at("a").offset), 1);
}

class BrokenPerfData : public testing::TestWithParam<test::BrokenPerfData> {};

TEST_P(BrokenPerfData, IsRefusedWithAReason) {
  const auto catalog = parse_perf_catalog(GetParam().region);
  ASSERT_FALSE(catalog.ok());
  EXPECT_THAT(catalog.error().message(), testing::EndsWith(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(All, BrokenPerfData, testing::ValuesIn(test::broken_perf_data()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace manometer::jvm
