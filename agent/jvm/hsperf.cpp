#include "agent/jvm/hsperf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace manometer::jvm {
namespace {

constexpr size_t kEntryHeaderBytes = 20;

template <typename T>
T load(Bytes bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

/// A string that ends with a NUL before the end of bytes.
Result<std::string> load_name(Bytes bytes) {
  const auto end = std::ranges::find(bytes, std::byte{0});
  if (end == bytes.end()) return Error("name without an end");
  return std::string(reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(end - bytes.begin()));
}

struct NamedEntry {
  std::string name;
  PerfEntry entry;
};

/// entry: the bytes of one entry, to its own length; at: its place in the region. Signed fields of the format are read
/// as unsigned, so that negative ones are too large.
Result<NamedEntry> parse_entry(Bytes entry, uint32_t at) {
  const auto name_offset = load<uint32_t>(entry, 4);
  const auto vector_length = load<uint32_t>(entry, 8);
  const auto type = static_cast<char>(entry[12]);
  const auto data_offset = load<uint32_t>(entry, 16);
  if (name_offset < kEntryHeaderBytes || name_offset >= data_offset || data_offset > entry.size())
    return Error("name or data outside of the entry");
  const uint32_t room = static_cast<uint32_t>(entry.size()) - data_offset;
  auto name = load_name(entry.subspan(name_offset, data_offset - name_offset));
  if (!name) return std::move(name).error();
  NamedEntry out{*std::move(name), {.offset = at + data_offset}};
  if (type == 'J' && vector_length == 0) {
    out.entry.length = sizeof(int64_t);
  } else if (type == 'B' && vector_length > 0) {
    out.entry.type = PerfEntry::Type::kString;
    out.entry.length = vector_length;
  } else {
    return Error("unknown type");
  }
  if (out.entry.length > room) return Error("value longer than its entry");
  return out;
}

}  // namespace

Result<PerfHeader> parse_perf_header(Bytes region) {
  constexpr std::array kMagic{std::byte{0xCA}, std::byte{0xFE}, std::byte{0xC0}, std::byte{0xC0}};
  constexpr uint8_t kOurByteOrder = std::endian::native == std::endian::little ? 1 : 0;
  constexpr uint8_t kMajorVersion = 2;
  if (region.size() < kPerfHeaderBytes) return Error("shorter than its header");
  const Bytes header = region.first(kPerfHeaderBytes);
  // The JVM maps it some time before it writes it.
  if (std::ranges::all_of(header, [](std::byte one) { return one == std::byte{0}; })) return PerfHeader{};
  if (!std::ranges::equal(region.first(kMagic.size()), kMagic)) return Error("wrong magic");
  if (load<uint8_t>(region, 4) != kOurByteOrder) return Error("written by a machine of another byte order");
  if (load<uint8_t>(region, 5) != kMajorVersion) return Error("unknown version");
  return PerfHeader{
      .accessible = load<uint8_t>(region, 7) != 0,
      .used = load<uint32_t>(region, 8),
      .first_entry = load<uint32_t>(region, 24),
      .entries = load<uint32_t>(region, 28),
  };
}

Result<PerfCatalog> parse_perf_catalog(Bytes region) {
  const auto header = parse_perf_header(region);
  if (!header) return header.error();
  if (header->used > region.size()) return Error("more bytes used than there are");
  const Bytes used = region.first(header->used);
  if (header->first_entry < kPerfHeaderBytes) return Error("entries overlap the header");
  if (header->entries > used.size() / kEntryHeaderBytes) return Error("more entries than fit");
  PerfCatalog catalog;
  uint32_t at = header->first_entry;
  for (uint32_t i = 0; i < header->entries; ++i) {
    if (at > used.size() || used.size() - at < kEntryHeaderBytes) return Error("entry outside of the region");
    const auto length = load<uint32_t>(used, at);
    if (length < kEntryHeaderBytes || length > used.size() - at) return Error("entry of impossible length");
    auto entry = parse_entry(used.subspan(at, length), at);
    if (!entry) return std::move(entry).error().with_context("entry " + std::to_string(i));
    catalog.emplace(std::move(entry->name), entry->entry);
    at += length;
  }
  return catalog;
}

int64_t read_long(Bytes region, uint32_t offset) {
  return load<int64_t>(region, offset);
}

std::string read_string(Bytes region, const PerfEntry& entry) {
  const Bytes room = region.subspan(entry.offset, entry.length);
  const auto end = std::ranges::find(room, std::byte{0});
  return {reinterpret_cast<const char*>(room.data()), static_cast<size_t>(end - room.begin())};
}

}  // namespace manometer::jvm
