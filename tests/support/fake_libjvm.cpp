#include "tests/support/fake_libjvm.h"

#include <algorithm>
#include <array>
#include <elf.h>
#include <stdexcept>

#include <fmt/format.h>

namespace manometer::test {
namespace {

constexpr size_t kHeaders = 0x200;  // room for the ELF header, program headers and the dynamic section
constexpr uint32_t kBuckets = 3;

/// An entry of gHotSpotVMStructs as vmStructs.hpp declares it.
struct VmStructEntry {
  uint64_t type_name;
  uint64_t field_name;
  uint64_t type_string;
  uint64_t is_static;
  uint64_t offset;
  uint64_t address;
};

uint32_t gnu_hash_of(std::string_view name) {
  uint32_t hash = 5381;
  for (const char c : name) hash = (hash << 5U) + hash + static_cast<unsigned char>(c);
  return hash;
}

uint32_t sysv_hash_of(std::string_view name) {
  uint32_t hash = 0;
  for (const char c : name) {
    hash = (hash << 4U) + static_cast<unsigned char>(c);
    hash ^= hash >> 24U & 0xF0U;
    hash &= 0x0FFFFFFFU;
  }
  return hash;
}

template <typename T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

}  // namespace

std::string FakeLibjvm::maps() {
  return fmt::format("{:x}-{:x} r--p 00000000 08:01 77 /usr/lib/libjvm.so\n", kBase, kBase + 0x10000);
}

FakeLibjvm::FakeLibjvm(Hash hash, bool with_vm_structs) : image_(kHeaders) {
  add_variable("JNI_CreateJavaVM", 0);
  add_variable("JVM_ArrayCopy", 0);
  perf_start_ = add_number(0);
  perf_capacity_ = add_number(0);
  if (with_vm_structs) add_vm_structs();
  add_symbols(hash);
  add_headers(hash);
}

FakeLibjvm& FakeLibjvm::set_perf_memory(uint64_t start, uint64_t capacity) {
  return poke(perf_start_, start).poke(perf_capacity_, capacity);
}

size_t FakeLibjvm::variable(std::string_view symbol) const {
  const auto found = std::ranges::find(exported_, symbol, &Symbol::name);
  if (found == exported_.end()) throw std::runtime_error("no symbol " + std::string(symbol));
  return found->value;
}

size_t FakeLibjvm::add(std::span<const std::byte> bytes) {
  constexpr size_t kAlignment = 8;
  image_.resize((image_.size() + kAlignment - 1) / kAlignment * kAlignment);
  const size_t at = image_.size();
  image_.insert(image_.end(), bytes.begin(), bytes.end());
  return at;
}

size_t FakeLibjvm::add_text(std::string_view text) {
  const size_t at = add(std::as_bytes(std::span(text)));
  image_.push_back(std::byte{0});
  return at;
}

size_t FakeLibjvm::add_number(uint64_t number) {
  return add(std::as_bytes(std::span(&number, 1)));
}

void FakeLibjvm::add_variable(const std::string& symbol, uint64_t value) {
  exported_.push_back({symbol, add_number(value)});
}

void FakeLibjvm::add_vm_structs() {
  const auto entry = [this](std::string_view type, std::string_view field, size_t address) {
    return VmStructEntry{kBase + add_text(type), kBase + add_text(field), 0, 1, 0, kBase + address};
  };
  const std::vector<VmStructEntry> table{entry("Klass", "_start", 0),  // a field of that name, but not of that type
                                         entry("PerfMemory", "_start", perf_start_),
                                         entry("PerfMemory", "_end", perf_start_),
                                         entry("PerfMemory", "_capacity", perf_capacity_),
                                         {}};
  vm_structs_ = add(bytes_of(table));
  add_variable("gHotSpotVMStructs", kBase + vm_structs_);
  add_variable("gHotSpotVMStructEntryTypeNameOffset", offsetof(VmStructEntry, type_name));
  add_variable("gHotSpotVMStructEntryFieldNameOffset", offsetof(VmStructEntry, field_name));
  add_variable("gHotSpotVMStructEntryAddressOffset", offsetof(VmStructEntry, address));
  add_variable("gHotSpotVMStructEntryArrayStride", sizeof(VmStructEntry));
}

void FakeLibjvm::add_symbols(Hash hash) {
  const std::vector<uint32_t> table = hash == Hash::kGnu ? gnu_hash() : sysv_hash();
  std::string names(1, '\0');
  std::vector<Elf64_Sym> symbols(1);
  for (const Symbol& symbol : exported_) {
    Elf64_Sym entry{};
    entry.st_name = static_cast<Elf64_Word>(names.size());
    entry.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
    entry.st_value = symbol.value;
    symbols.push_back(entry);
    names += symbol.name + '\0';
  }
  hash_ = add(bytes_of(table));
  symbols_ = add(bytes_of(symbols));
  names_ = add(std::as_bytes(std::span(names)));
}

/// Sorts the symbols by bucket, as this table wants them.
std::vector<uint32_t> FakeLibjvm::gnu_hash() {
  const auto bucket = [](const Symbol& symbol) { return gnu_hash_of(symbol.name) % kBuckets; };
  std::ranges::stable_sort(exported_, {}, bucket);
  // Buckets, index of the first symbol in the table, words of the Bloom filter, its shift; the filter; the buckets.
  std::vector<uint32_t> table{kBuckets, 1, 1, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0, 0};
  constexpr size_t kFirstBucket = 6;
  for (size_t i = 0; i < exported_.size(); ++i) {
    uint32_t& first = table[kFirstBucket + bucket(exported_[i])];
    if (first == 0) first = static_cast<uint32_t>(i + 1);
    const bool last = i + 1 == exported_.size() || bucket(exported_[i + 1]) != bucket(exported_[i]);
    table.push_back((gnu_hash_of(exported_[i].name) & ~1U) | (last ? 1U : 0U));
  }
  return table;
}

std::vector<uint32_t> FakeLibjvm::sysv_hash() const {
  const size_t symbols = exported_.size() + 1;
  std::vector<uint32_t> table(2 + kBuckets + symbols);
  table[0] = kBuckets;
  table[1] = static_cast<uint32_t>(symbols);
  for (uint32_t index = 1; index < symbols; ++index) {
    uint32_t& bucket = table[2 + sysv_hash_of(exported_[index - 1].name) % kBuckets];
    table[2 + kBuckets + index] = bucket;  // before those that were in it
    bucket = index;
  }
  return table;
}

void FakeLibjvm::add_headers(Hash hash) {
  Elf64_Ehdr header{};
  std::copy_n(ELFMAG, SELFMAG, header.e_ident);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_phoff = kProgramHeaders;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 2;
  poke(0, header);
  static_assert(sizeof(header) == kProgramHeaders);
  dynamic_ = kProgramHeaders + 2 * sizeof(Elf64_Phdr);
  Elf64_Phdr load{};
  load.p_type = PT_LOAD;
  Elf64_Phdr dynamic{};
  dynamic.p_type = PT_DYNAMIC;
  dynamic.p_vaddr = dynamic_;
  poke(kProgramHeaders, load).poke(kProgramHeaders + sizeof(load), dynamic);
  const Elf64_Sxword hash_tag = hash == Hash::kGnu ? DT_GNU_HASH : DT_HASH;
  // The loader of glibc has made these pointers absolute; that of musl leaves offsets.
  const std::array<Elf64_Dyn, 4> entries{
      {{DT_STRTAB, {kBase + names_}}, {DT_SYMTAB, {symbols_}}, {hash_tag, {kBase + hash_}}, {DT_NULL, {0}}}};
  poke(dynamic_, entries);
}

}  // namespace manometer::test
