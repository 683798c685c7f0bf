#include "tests/support/perf_data.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tests/support/source_path.h"

namespace manometer::test {
namespace {

constexpr size_t kHeaderBytes = 32;
constexpr size_t kEntryBytes = 20;
constexpr size_t kUsedAt = 8;
constexpr size_t kEntriesAt = 28;

std::string fixture_path(const std::string& name) {
  return source_path("tests/fixtures/perf_data/" + name + ".txt");
}

std::vector<std::string> split(const std::string& line, char separator) {
  std::vector<std::string> fields;
  size_t from = 0;
  for (size_t to = 0; to != std::string::npos; from = to + 1) {
    to = line.find(separator, from);
    fields.push_back(line.substr(from, to - from));
  }
  return fields;
}

std::vector<std::string> lines_of(const std::string& fixture) {
  std::ifstream file(fixture_path(fixture));
  if (!file) throw std::runtime_error("no fixture " + fixture);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

}  // namespace

PerfData perf_data() {
  return {};
}

PerfData::PerfData() : bytes_(kHeaderBytes) {
  constexpr uint8_t kHeader[] = {0xCA, 0xFE, 0xC0, 0xC0, 1 /* little endian */, 2, 0, 1 /* accessible */};
  write(0, kHeader, sizeof(kHeader));
  poke<uint32_t>(kUsedAt, kHeaderBytes);
  constexpr size_t kFirstEntryAt = 24;
  poke<uint32_t>(kFirstEntryAt, kHeaderBytes);
}

PerfData PerfData::from_fixture(const std::string& name) {
  PerfData data;
  for (const std::string& line : lines_of(name)) {
    if (line.starts_with('#')) continue;
    const auto fields = split(line, '\t');
    if (fields.at(1) == "J") {
      data.add_long(fields[0], std::stoll(fields.at(2)));
    } else {
      data.add_string(fields[0], fields.at(2), std::stoul(fields[1].substr(2)));
    }
  }
  return data;
}

PerfData& PerfData::add_long(const std::string& name, int64_t value) {
  add(name, 'J', 0, std::string(reinterpret_cast<const char*>(&value), sizeof(value)));
  return *this;
}

PerfData& PerfData::add_string(const std::string& name, const std::string& value, size_t room) {
  std::string padded = value;
  padded.resize(room > 0 ? room : value.size() + 1);
  add(name, 'B', static_cast<uint32_t>(padded.size()), padded);
  return *this;
}

PerfData& PerfData::set_long(const std::string& name, int64_t value) {
  return poke(value_at(name), value);
}

void PerfData::add(const std::string& name, char type, uint32_t vector_length, const std::string& value) {
  const size_t entry = bytes_.size();
  constexpr size_t kAlignment = 8;
  const auto align = [](size_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; };
  // Entries begin at multiples of 8; longs are aligned in them.
  const size_t data_offset = align(kEntryBytes + name.size() + 1);
  const size_t length = align(data_offset + value.size());
  bytes_.resize(entry + length);
  poke(entry, static_cast<uint32_t>(length));
  poke(entry + 4, static_cast<uint32_t>(kEntryBytes));
  poke(entry + 8, vector_length);
  poke(entry + 12, type);
  poke(entry + 16, static_cast<uint32_t>(data_offset));
  write(entry + kEntryBytes, name.data(), name.size());
  write(entry + data_offset, value.data(), value.size());
  places_.push_back({name, entry, entry + data_offset});
  poke(kUsedAt, static_cast<uint32_t>(bytes_.size()));
  poke(kEntriesAt, static_cast<uint32_t>(places_.size()));
}

void PerfData::write(size_t offset, const void* bytes, size_t count) {
  std::memcpy(bytes_.data() + offset, bytes, count);
}

const PerfData::Place& PerfData::find(const std::string& name) const {
  const auto found = std::ranges::find(places_, name, &Place::name);
  if (found == places_.end()) throw std::runtime_error("no entry " + name);
  return *found;
}

std::vector<std::byte> PerfData::build(size_t size) const {
  std::vector<std::byte> out = bytes_;
  if (size > 0) out.resize(size);
  return out;
}

std::vector<std::string> perf_data_fixtures() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(source_path("tests/fixtures/perf_data")))
    names.push_back(file.path().stem());
  std::ranges::sort(names);
  return names;
}

std::vector<std::vector<std::string>> fixture_truth(const std::string& fixture, const std::string& key) {
  std::vector<std::vector<std::string>> found;
  for (const std::string& line : lines_of(fixture)) {
    for (const char separator : {' ', '\t'}) {
      const std::string start = "# " + key + separator;
      if (line.starts_with(start)) found.push_back(split(line.substr(start.size()), separator));
    }
  }
  return found;
}

}  // namespace manometer::test
