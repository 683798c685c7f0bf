#include "tests/support/broken_perf_data.h"

#include <ostream>

#include "tests/support/perf_data.h"

namespace manometer::test {
namespace {

// Places in the header, and in an entry.
constexpr size_t kByteOrderAt = 4;
constexpr size_t kMajorAt = 5;
constexpr size_t kUsedAt = 8;
constexpr size_t kFirstEntryAt = 24;
constexpr size_t kEntriesAt = 28;
constexpr size_t kNameOffset = 4;
constexpr size_t kVectorLength = 8;
constexpr size_t kType = 12;
constexpr size_t kDataOffset = 16;

constexpr uint32_t kNegative = 0xFFFFFFF0;

PerfData two_entries() {
  return perf_data().add_long("a.long", 42).add_string("a.string", "text", 16);
}

template <typename T>
std::vector<std::byte> with_header(size_t at, T value) {
  return two_entries().poke(at, value).build();
}

template <typename T>
std::vector<std::byte> with_field(const char* entry, size_t field, T value) {
  PerfData data = two_entries();
  return data.poke(data.entry_at(entry) + field, value).build();
}

std::vector<std::byte> without_name_end() {
  PerfData data = two_entries();
  constexpr size_t kEntryHeader = 20;
  for (size_t at = data.entry_at("a.long") + kEntryHeader; at < data.value_at("a.long"); ++at) data.poke(at, 'x');
  return data.build();
}

std::vector<std::byte> cut_short() {
  std::vector<std::byte> region = two_entries().build(0);
  region.pop_back();
  return region;
}

std::vector<BrokenPerfData> broken_headers() {
  return {
      {"Empty", {}, "shorter than its header"},
      {"ShorterThanAHeader", std::vector<std::byte>(31), "shorter than its header"},
      {"NoMagic", with_header<uint32_t>(0, 0), "wrong magic"},
      {"WrongMagic", with_header<uint8_t>(0, 0xCB), "wrong magic"},
      {"MagicInOurByteOrder", with_header<uint32_t>(0, 0xCAFEC0C0), "wrong magic"},
      {"BigEndian", with_header<uint8_t>(kByteOrderAt, 0), "written by a machine of another byte order"},
      {"NoByteOrder", with_header<uint8_t>(kByteOrderAt, 2), "written by a machine of another byte order"},
      {"Version1", with_header<uint8_t>(kMajorAt, 1), "unknown version"},
      {"Version3", with_header<uint8_t>(kMajorAt, 3), "unknown version"},
      {"MoreUsedThanThereIs", with_header<uint32_t>(kUsedAt, 32769), "more bytes used than there are"},
      {"NegativeUsed", with_header<int32_t>(kUsedAt, -1), "more bytes used than there are"},
      {"EntriesInTheHeader", with_header<uint32_t>(kFirstEntryAt, 31), "entries overlap the header"},
      {"FirstEntryOutside", with_header<uint32_t>(kFirstEntryAt, 40000), "entry outside of the region"},
      {"NegativeFirstEntry", with_header<int32_t>(kFirstEntryAt, -8), "entry outside of the region"},
      {"TwoToThe31Entries", with_header<uint32_t>(kEntriesAt, 1U << 31U), "more entries than fit"},
      {"NegativeEntries", with_header<int32_t>(kEntriesAt, -1), "more entries than fit"},
      {"MoreEntriesThanThereAre", with_header<uint32_t>(kEntriesAt, 3), "entry outside of the region"},
      {"CutShort", cut_short(), "more bytes used than there are"},
  };
}

std::vector<BrokenPerfData> broken_entries() {
  const auto in_long = [](size_t field, uint32_t value) { return with_field("a.long", field, value); };
  return {
      {"EntryOfNoLength", in_long(0, 0), "entry of impossible length"},
      {"EntryShorterThanItsHeader", in_long(0, 19), "entry of impossible length"},
      {"EntryOfNegativeLength", in_long(0, kNegative), "entry of impossible length"},
      {"EntryLongerThanTheRegion", in_long(0, 40000), "entry of impossible length"},
      {"EntryThatTakesTheNextOneIn", in_long(0, 48), "entry of impossible length"},
      {"NameInTheEntryHeader", in_long(kNameOffset, 19), "entry 0: name or data outside of the entry"},
      {"NegativeNameOffset", in_long(kNameOffset, kNegative), "entry 0: name or data outside of the entry"},
      {"NameAfterTheData", in_long(kNameOffset, 33), "entry 0: name or data outside of the entry"},
      {"DataBeforeTheName", in_long(kDataOffset, 8), "entry 0: name or data outside of the entry"},
      {"NegativeDataOffset", in_long(kDataOffset, kNegative), "entry 0: name or data outside of the entry"},
      {"DataBeyondTheEntry", in_long(kDataOffset, 41), "entry 0: name or data outside of the entry"},
      {"DataOverlapsTheNextEntry", in_long(kDataOffset, 36), "entry 0: value longer than its entry"},
      {"ArrayOfLongs", in_long(kVectorLength, 2), "entry 0: unknown type"},
      {"UnknownType", with_field("a.long", kType, 'Z'), "entry 0: unknown type"},
      {"StringWithoutRoom", with_field<uint32_t>("a.string", kVectorLength, 0), "entry 1: unknown type"},
      {"StringLongerThanItsEntry", with_field<uint32_t>("a.string", kVectorLength, 17), "value longer than its entry"},
      {"StringOfNegativeLength", with_field("a.string", kVectorLength, kNegative), "value longer than its entry"},
      {"NameWithoutAnEnd", without_name_end(), "entry 0: name without an end"},
  };
}

}  // namespace

void PrintTo(const BrokenPerfData& broken, std::ostream* out) {
  *out << broken.name;
}

std::vector<BrokenPerfData> broken_perf_data() {
  std::vector<BrokenPerfData> all = broken_headers();
  for (BrokenPerfData& broken : broken_entries()) all.push_back(std::move(broken));
  return all;
}

}  // namespace manometer::test
