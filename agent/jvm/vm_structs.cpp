#include "agent/jvm/vm_structs.h"

#include <algorithm>
#include <array>
#include <elf.h>
#include <optional>
#include <unordered_map>
#include <vector>

namespace manometer::jvm {
namespace {

using node::ProcessMemory;

constexpr size_t kMaxProgramHeaders = 64;
constexpr size_t kMaxDynamicEntries = 256;
constexpr size_t kMaxSymbols = 1U << 20U;
constexpr uint32_t kMaxChain = 4096;  // symbols that share a bucket: a handful
constexpr size_t kMaxStructs = 8192;  // 788 entries in JDK 17, 585 in 25
constexpr size_t kMaxName = 128;

/// What PT_DYNAMIC says of the symbols, as addresses in the process.
struct SymbolTables {
  uint64_t symbols = 0;
  uint64_t names = 0;
  uint64_t gnu_hash = 0;
};

Result<Elf64_Ehdr> read_elf_header(const ProcessMemory& memory, uint64_t base) {
  auto header = memory.read<Elf64_Ehdr>(base);
  if (!header) return header;
  if (!std::equal(header->e_ident, header->e_ident + SELFMAG, ELFMAG) || header->e_ident[EI_CLASS] != ELFCLASS64 ||
      header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum > kMaxProgramHeaders) {
    return Error("libjvm is not an ELF library that we can read");
  }
  return header;
}

Result<uint64_t> find_dynamic(const ProcessMemory& memory, uint64_t base) {
  const auto header = read_elf_header(memory, base);
  if (!header) return header.error();
  for (size_t i = 0; i < header->e_phnum; ++i) {
    const auto segment = memory.read<Elf64_Phdr>(base + header->e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment) return segment.error();
    if (segment->p_type == PT_DYNAMIC) return base + segment->p_vaddr;
  }
  return Error("libjvm has no dynamic section");
}

Result<SymbolTables> find_symbol_tables(const ProcessMemory& memory, uint64_t base) {
  const auto dynamic = find_dynamic(memory, base);
  if (!dynamic) return dynamic.error();
  SymbolTables tables;
  // glibc has added the base to these pointers when it loaded the library; musl has not.
  const auto absolute = [&](uint64_t pointer) { return pointer < base ? base + pointer : pointer; };
  for (size_t i = 0; i < kMaxDynamicEntries; ++i) {
    const auto entry = memory.read<Elf64_Dyn>(*dynamic + i * sizeof(Elf64_Dyn));
    if (!entry) return entry.error();
    if (entry->d_tag == DT_NULL) break;
    if (entry->d_tag == DT_SYMTAB) tables.symbols = absolute(entry->d_un.d_ptr);
    if (entry->d_tag == DT_STRTAB) tables.names = absolute(entry->d_un.d_ptr);
    if (entry->d_tag == DT_GNU_HASH) tables.gnu_hash = absolute(entry->d_un.d_ptr);
  }
  if (tables.symbols == 0 || tables.names == 0 || tables.gnu_hash == 0) return Error("libjvm has no symbol tables");
  return tables;
}

uint32_t gnu_hash(std::string_view name) {
  uint32_t hash = 5381;
  for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
  return hash;
}

/// Looks names up in a library's dynamic symbols, as the loader does (DT_GNU_HASH).
class SymbolLookup {
 public:
  static Result<SymbolLookup> open(const ProcessMemory& memory, uint64_t base) {
    const auto tables = find_symbol_tables(memory, base);
    if (!tables) return tables.error();
    const auto header = memory.read<std::array<uint32_t, 4>>(tables->gnu_hash);
    if (!header) return header.error();
    const auto [buckets, first_symbol, bloom_words, bloom_shift] = *header;
    if (buckets == 0 || buckets > kMaxSymbols || bloom_words > kMaxSymbols) return Error("malformed symbol hash");
    return SymbolLookup(memory, base, *tables, buckets, first_symbol, bloom_words);
  }

  /// The symbol's address, nullopt if there is none of that name.
  Result<std::optional<uint64_t>> find(std::string_view name) const {
    const uint32_t hash = gnu_hash(name);
    const auto first = memory_.read<uint32_t>(bucket_table_ + sizeof(uint32_t) * (hash % buckets_));
    if (!first) return first.error();
    if (*first < first_symbol_) return std::optional<uint64_t>();
    for (uint32_t index = *first; index - *first < kMaxChain; ++index) {
      const auto chain = memory_.read<uint32_t>(chain_table_ + sizeof(uint32_t) * (index - first_symbol_));
      if (!chain) return chain.error();
      if ((*chain | 1U) == (hash | 1U)) {
        auto address = address_if_named(index, name);
        if (!address || *address) return address;
      }
      if ((*chain & 1U) != 0) return std::optional<uint64_t>();
    }
    return Error("symbol chain without an end");
  }

 private:
  SymbolLookup(const ProcessMemory& memory, uint64_t base, const SymbolTables& tables, uint32_t buckets,
               uint32_t first_symbol, uint32_t bloom_words)
      : memory_(memory), base_(base), tables_(tables), buckets_(buckets), first_symbol_(first_symbol) {
    constexpr size_t kHeader = 16;
    bucket_table_ = tables.gnu_hash + kHeader + sizeof(uint64_t) * bloom_words;
    chain_table_ = bucket_table_ + sizeof(uint32_t) * buckets;
  }

  Result<std::optional<uint64_t>> address_if_named(uint32_t index, std::string_view name) const {
    const auto symbol = memory_.read<Elf64_Sym>(tables_.symbols + sizeof(Elf64_Sym) * index);
    if (!symbol) return symbol.error();
    const auto found = memory_.read_string(tables_.names + symbol->st_name, kMaxName);
    if (!found) return found.error();
    return *found == name ? std::optional(base_ + symbol->st_value) : std::nullopt;
  }

  const ProcessMemory& memory_;
  uint64_t base_;
  SymbolTables tables_;
  uint32_t buckets_;
  uint32_t first_symbol_;
  uint64_t bucket_table_ = 0;
  uint64_t chain_table_ = 0;
};

/// How an entry of the table is laid out in this libjvm, by symbols it exports for that purpose.
struct EntryShape {
  uint64_t table = 0;  // address of the first entry
  uint64_t stride = 0;
  uint64_t type_name = 0;
  uint64_t field_name = 0;
  uint64_t address = 0;  // of the static field
};

Result<std::optional<EntryShape>> read_shape(const ProcessMemory& memory, const SymbolLookup& symbols) {
  EntryShape shape;
  const std::array<std::pair<const char*, uint64_t*>, 5> wanted{{
      {"gHotSpotVMStructs", &shape.table},
      {"gHotSpotVMStructEntryArrayStride", &shape.stride},
      {"gHotSpotVMStructEntryTypeNameOffset", &shape.type_name},
      {"gHotSpotVMStructEntryFieldNameOffset", &shape.field_name},
      {"gHotSpotVMStructEntryAddressOffset", &shape.address},
  }};
  for (const auto& [name, value] : wanted) {
    const auto at = symbols.find(name);
    if (!at) return at.error();
    if (!*at) return std::optional<EntryShape>();
    const auto read = memory.read<uint64_t>(**at);
    if (!read) return read.error();
    *value = *read;
  }
  constexpr uint64_t kMaxStride = 256;
  const uint64_t last = std::max({shape.type_name, shape.field_name, shape.address});
  if (shape.stride > kMaxStride || last + sizeof(uint64_t) > shape.stride) return Error("malformed entry layout");
  return std::optional(shape);
}

/// Puts the address of the entry's static field where it belongs if it is one that we look for.
Result<void> note_field(const ProcessMemory& memory, const EntryShape& shape, uint64_t entry, VmStructs& out) {
  const auto field = memory.read<uint64_t>(entry + shape.field_name);
  if (!field) return field.error();
  const auto name = memory.read_string(*field, kMaxName);
  if (!name) return name.error();
  uint64_t* const wanted = *name == "_start" ? &out.perf_start : *name == "_capacity" ? &out.perf_capacity : nullptr;
  if (wanted == nullptr) return {};
  const auto address = memory.read<uint64_t>(entry + shape.address);
  if (!address) return address.error();
  *wanted = *address;
  return {};
}

Result<VmStructs> walk(const ProcessMemory& memory, const EntryShape& shape) {
  VmStructs out;
  std::unordered_map<uint64_t, bool> is_perf_memory;  // by the pointer to the type's name, which its entries share
  for (size_t i = 0; i < kMaxStructs; ++i) {
    const uint64_t entry = shape.table + i * shape.stride;
    const auto type = memory.read<uint64_t>(entry + shape.type_name);
    if (!type) return type.error();
    if (*type == 0) return out;
    auto known = is_perf_memory.find(*type);
    if (known == is_perf_memory.end()) {
      const auto name = memory.read_string(*type, kMaxName);
      if (!name) return name.error();
      known = is_perf_memory.emplace(*type, *name == "PerfMemory").first;
    }
    if (!known->second) continue;
    const auto noted = note_field(memory, shape, entry, out);
    if (!noted) return noted.error();
  }
  return Error("gHotSpotVMStructs has no end");
}

}  // namespace

Result<std::optional<VmStructs>> find_vm_structs(const ProcessMemory& memory, uint64_t base) {
  const auto symbols = SymbolLookup::open(memory, base);
  if (!symbols) return symbols.error();
  const auto shape = read_shape(memory, *symbols);
  if (!shape) return shape.error();
  if (!*shape) return std::optional<VmStructs>();
  const auto structs = walk(memory, **shape);
  if (!structs) return structs.error();
  return std::optional(*structs);
}

Result<std::optional<PerfMemory>> find_perf_memory(const ProcessMemory& memory, const VmStructs& structs) {
  if (structs.perf_start == 0 || structs.perf_capacity == 0) return std::optional<PerfMemory>();
  const auto start = memory.read<uint64_t>(structs.perf_start);
  if (!start) return start.error();
  const auto capacity = memory.read<uint64_t>(structs.perf_capacity);
  if (!capacity) return capacity.error();
  if (*start == 0) return std::optional<PerfMemory>();
  return std::optional(PerfMemory{*start, *capacity});
}

}  // namespace manometer::jvm
