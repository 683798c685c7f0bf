#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace manometer::test {

/// Builds a performance data region as HotSpot lays it out, entry by entry, and breaks it where a test asks for that.
class PerfData {
 public:
  /// Those of a real JVM: tests/fixtures/perf_data/<name>.txt, lines of name, type (J or B[room]) and value.
  static PerfData from_fixture(const std::string& name);

  PerfData& add_long(const std::string& name, int64_t value);
  /// room: bytes for the value, 0 for just enough with its NUL.
  PerfData& add_string(const std::string& name, const std::string& value, size_t room = 0);
  /// Changes the value of an entry that is there.
  PerfData& set_long(const std::string& name, int64_t value);

  /// Offset of an entry's first byte, and of the value in it.
  size_t entry_at(const std::string& name) const { return find(name).entry; }
  size_t value_at(const std::string& name) const { return find(name).value; }

  /// Overwrites bytes, for instance a field of the header or of an entry.
  template <typename T>
  PerfData& poke(size_t offset, T value) {
    write(offset, &value, sizeof(value));
    return *this;
  }

  /// The region, size bytes long; 0 for as long as its entries.
  std::vector<std::byte> build(size_t size = 32768) const;

 private:
  struct Place {
    std::string name;
    size_t entry;
    size_t value;
  };

  PerfData();
  friend PerfData perf_data();
  const Place& find(const std::string& name) const;
  void add(const std::string& name, char type, uint32_t vector_length, const std::string& value);
  void write(size_t offset, const void* bytes, size_t count);

  std::vector<std::byte> bytes_;
  std::vector<Place> places_;
};

/// A region with a header and no entries.
PerfData perf_data();

/// Names of all fixtures.
std::vector<std::string> perf_data_fixtures();

/// The JVM's own word in a fixture: the fields of its lines "# <key>", separated by blanks or tabs.
std::vector<std::vector<std::string>> fixture_truth(const std::string& fixture, const std::string& key);

}  // namespace manometer::test
