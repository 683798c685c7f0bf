#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace manometer::test {

/// The parts of a loaded libjvm.so that lead to a JVM's performance data: ELF headers, dynamic symbols with one of the
/// two hash tables, and gHotSpotVMStructs. Its pointers are right where it is mapped at kBase.
class FakeLibjvm {
 public:
  enum class Hash { kGnu, kSysv };

  /// Nothing is mapped for many gigabytes after it, not even by AddressSanitizer.
  static constexpr uint64_t kBase = 0x2000'0000'0000;

  /// Its line of /proc/PID/maps.
  static std::string maps();

  explicit FakeLibjvm(Hash hash = Hash::kGnu, bool with_vm_structs = true);

  /// What PerfMemory::_start and _capacity say.
  FakeLibjvm& set_perf_memory(uint64_t start, uint64_t capacity);

  /// Overwrites bytes of the image, for instance a field of a table below.
  template <typename T>
  FakeLibjvm& poke(size_t offset, T value) {
    std::memcpy(image_.data() + offset, &value, sizeof(value));
    return *this;
  }

  // Where the tables are, as offsets from kBase.
  static constexpr size_t kProgramHeaders = 64;
  size_t dynamic() const { return dynamic_; }
  size_t hash() const { return hash_; }
  size_t symbols() const { return symbols_; }
  size_t vm_structs() const { return vm_structs_; }
  /// The variable behind an exported symbol of the table's layout, for instance gHotSpotVMStructEntryArrayStride.
  size_t variable(std::string_view symbol) const;

  const std::vector<std::byte>& image() const { return image_; }

 private:
  struct Symbol {
    std::string name;
    size_t value;  // offset of the variable
  };

  size_t add(std::span<const std::byte> bytes);
  size_t add_text(std::string_view text);
  size_t add_number(uint64_t number);
  void add_variable(const std::string& symbol, uint64_t value);
  void add_vm_structs();
  void add_symbols(Hash hash);
  std::vector<uint32_t> gnu_hash();
  std::vector<uint32_t> sysv_hash() const;
  void add_headers(Hash hash);

  std::vector<std::byte> image_;
  std::vector<Symbol> exported_;
  size_t dynamic_ = 0;
  size_t hash_ = 0;
  size_t symbols_ = 0;
  size_t names_ = 0;
  size_t vm_structs_ = 0;
  size_t perf_start_ = 0;
  size_t perf_capacity_ = 0;
};

}  // namespace manometer::test
