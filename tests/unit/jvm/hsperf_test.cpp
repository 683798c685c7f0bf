#include "agent/jvm/hsperf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/perf_data.h"

namespace manometer::jvm {
namespace {

using test::perf_data;
using test::PerfData;

// Places in the header, and in an entry.
constexpr size_t kByteOrderAt = 4;
constexpr size_t kMajorAt = 5;
constexpr size_t kAccessibleAt = 7;
constexpr size_t kUsedAt = 8;
constexpr size_t kFirstEntryAt = 24;
constexpr size_t kEntriesAt = 28;
constexpr size_t kNameOffset = 4;
constexpr size_t kVectorLength = 8;
constexpr size_t kType = 12;
constexpr size_t kDataOffset = 16;

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

/// One way to break a region, and what is said about it.
struct Broken {
  const char* name;
  std::vector<std::byte> region;
  const char* message;
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const Broken& broken, std::ostream* out) {
  *out << broken.name;
}

Broken broken_entry(const char* name, size_t field, uint32_t value, const char* message) {
  PerfData data = two_entries();
  return {name, data.poke(data.entry_at("a.long") + field, value).build(), message};
}

std::vector<Broken> broken_regions() {
  PerfData unnamed = two_entries();
  const size_t name_at = unnamed.entry_at("a.long") + 20;
  for (size_t i = name_at; i < unnamed.value_at("a.long"); ++i) unnamed.poke(i, 'x');
  PerfData untyped = two_entries();
  untyped.poke(untyped.entry_at("a.long") + kType, 'Z');
  std::vector<std::byte> short_region = two_entries().build(0);
  short_region.resize(short_region.size() - 1);
  constexpr uint32_t kNegative = 0xFFFFFFF0;
  return {
      {"Empty", {}, "shorter than its header"},
      {"ShorterThanAHeader", std::vector<std::byte>(31), "shorter than its header"},
      {"AllZero", std::vector<std::byte>(32768), "wrong magic"},
      {"WrongMagic", two_entries().poke<uint8_t>(0, 0xCB).build(), "wrong magic"},
      {"BigEndian", two_entries().poke<uint8_t>(kByteOrderAt, 0).build(), "another byte order"},
      {"Version1", two_entries().poke<uint8_t>(kMajorAt, 1).build(), "unknown version"},
      {"MoreUsedThanThereIs", two_entries().poke<uint32_t>(kUsedAt, 40000).build(), "more bytes used"},
      {"NegativeUsed", two_entries().poke<int32_t>(kUsedAt, -1).build(), "more bytes used"},
      {"EntriesInTheHeader", two_entries().poke<uint32_t>(kFirstEntryAt, 8).build(), "overlap the header"},
      {"FirstEntryOutside", two_entries().poke<uint32_t>(kFirstEntryAt, 40000).build(), "outside of the region"},
      {"NegativeFirstEntry", two_entries().poke<int32_t>(kFirstEntryAt, -8).build(), "outside of the region"},
      {"TwoToThe31Entries", two_entries().poke<uint32_t>(kEntriesAt, 1U << 31U).build(), "more entries than fit"},
      {"NegativeEntries", two_entries().poke<int32_t>(kEntriesAt, -1).build(), "more entries than fit"},
      {"MoreEntriesThanThereAre", two_entries().poke<uint32_t>(kEntriesAt, 3).build(), "outside of the region"},
      broken_entry("EntryOfNoLength", 0, 0, "impossible length"),
      broken_entry("EntryOfNegativeLength", 0, kNegative, "impossible length"),
      broken_entry("EntryLongerThanTheRegion", 0, 40000, "impossible length"),
      broken_entry("NameInTheEntryHeader", kNameOffset, 4, "name or data outside"),
      broken_entry("NegativeNameOffset", kNameOffset, kNegative, "name or data outside"),
      broken_entry("NameAfterTheData", kNameOffset, 40, "name or data outside"),
      broken_entry("DataBeforeTheName", kDataOffset, 8, "name or data outside"),
      broken_entry("NegativeDataOffset", kDataOffset, kNegative, "name or data outside"),
      broken_entry("DataBeyondTheEntry", kDataOffset, 200, "name or data outside"),
      broken_entry("DataOverlapsTheNextEntry", kDataOffset, 36, "longer than its entry"),
      broken_entry("ArrayOfLongs", kVectorLength, 2, "unknown type"),
      {"UnknownType", untyped.build(), "unknown type"},
      {"NameWithoutAnEnd", unnamed.build(), "name without an end"},
      {"CutShort", short_region, "more bytes used"},
  };
}

class BrokenPerfData : public testing::TestWithParam<Broken> {};

TEST_P(BrokenPerfData, IsRefusedWithAReason) {
  const auto catalog = parse_perf_catalog(GetParam().region);
  ASSERT_FALSE(catalog.ok());
  EXPECT_THAT(catalog.error().message(), testing::HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(All, BrokenPerfData, testing::ValuesIn(broken_regions()),
                         [](const auto& test) { return test.param.name; });

TEST(PerfCatalog, AStringLongerThanItsEntryIsRefused) {
  PerfData data = two_entries();
  data.poke<uint32_t>(data.entry_at("a.string") + kVectorLength, 1000);
  EXPECT_FALSE(parse_perf_catalog(data.build()).ok());
}

}  // namespace
}  // namespace manometer::jvm
