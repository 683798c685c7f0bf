#include "agent/jvm/elf_symbols.h"

#include <algorithm>
#include <array>
#include <elf.h>

namespace manometer::jvm {
namespace {

using node::ProcessMemory;

// Bounds for what a hostile process could make endless; real libraries stay far below.
constexpr size_t kMaxProgramHeaders = 64;
constexpr size_t kMaxDynamicEntries = 256;
constexpr uint32_t kMaxChain = 4096;  // symbols that share a bucket: a handful
constexpr size_t kMaxName = 128;

uint32_t gnu_hash(std::string_view name) {
  uint32_t hash = 5381;
  for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
  return hash;
}

/// The System V ABI's hash function.
uint32_t sysv_hash(std::string_view name) {
  uint32_t hash = 0;
  for (const char c : name) {
    hash = (hash << 4U) + static_cast<unsigned char>(c);
    const uint32_t high = hash & 0xF0000000U;
    hash = (hash ^ (high >> 24U)) & ~high;
  }
  return hash;
}

}  // namespace

Result<uint64_t> ElfSymbols::find_dynamic(const ProcessMemory& memory, uint64_t base) {
  const auto header = memory.read<Elf64_Ehdr>(base);
  if (!header) return header.error();
  if (!std::equal(header->e_ident, header->e_ident + SELFMAG, ELFMAG) || header->e_ident[EI_CLASS] != ELFCLASS64 ||
      header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum > kMaxProgramHeaders) {
    return Error("libjvm is not an ELF library that we can read");
  }
  for (size_t i = 0; i < header->e_phnum; ++i) {
    const auto segment = memory.read<Elf64_Phdr>(base + header->e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment) return segment.error();
    if (segment->p_type == PT_DYNAMIC) return base + segment->p_vaddr;
  }
  return Error("libjvm has no dynamic section");
}

Result<ElfSymbols::Tables> ElfSymbols::read_tables(const ProcessMemory& memory, uint64_t base) {
  const auto dynamic = find_dynamic(memory, base);
  if (!dynamic) return dynamic.error();
  Tables tables;
  // glibc has added the base to these pointers when it loaded the library; musl has not.
  const auto absolute = [&](uint64_t pointer) { return pointer < base ? base + pointer : pointer; };
  for (size_t i = 0; i < kMaxDynamicEntries; ++i) {
    const auto entry = memory.read<Elf64_Dyn>(*dynamic + i * sizeof(Elf64_Dyn));
    if (!entry) return entry.error();
    if (entry->d_tag == DT_NULL) break;
    if (entry->d_tag == DT_SYMTAB) tables.symbols = absolute(entry->d_un.d_ptr);
    if (entry->d_tag == DT_STRTAB) tables.names = absolute(entry->d_un.d_ptr);
    if (entry->d_tag == DT_HASH) tables.sysv_hash = absolute(entry->d_un.d_ptr);
    if (entry->d_tag == DT_GNU_HASH) tables.gnu_hash = absolute(entry->d_un.d_ptr);
  }
  return tables;
}

Result<ElfSymbols> ElfSymbols::open(const ProcessMemory& memory, uint64_t base) {
  const auto tables = read_tables(memory, base);
  if (!tables) return tables.error();
  const bool has_hash = tables->gnu_hash != 0 || tables->sysv_hash != 0;
  if (tables->symbols == 0 || tables->names == 0 || !has_hash) return Error("libjvm has no symbol tables");
  return ElfSymbols(memory, base, *tables);
}

Result<std::optional<uint64_t>> ElfSymbols::find(std::string_view name) const {
  // Linkers write either or both: JDK 11's libjvm has the old one only, 17's and later ones the GNU one only.
  return tables_.gnu_hash != 0 ? find_by_gnu_hash(name) : find_by_sysv_hash(name);
}

Result<std::optional<uint64_t>> ElfSymbols::find_by_gnu_hash(std::string_view name) const {
  // Number of buckets, index of the first hashed symbol, words of the Bloom filter, its shift; filter; buckets; chains.
  const auto header = memory_.read<std::array<uint32_t, 4>>(tables_.gnu_hash);
  if (!header) return header.error();
  const auto [buckets, first_hashed, bloom_words, bloom_shift] = *header;
  if (buckets == 0) return Error("malformed symbol hash");
  const uint64_t bucket_table = tables_.gnu_hash + sizeof(*header) + sizeof(uint64_t) * bloom_words;
  const uint64_t chain_table = bucket_table + sizeof(uint32_t) * uint64_t{buckets};
  const uint32_t hash = gnu_hash(name);
  const auto first = memory_.read<uint32_t>(bucket_table + sizeof(uint32_t) * (hash % buckets));
  if (!first) return first.error();
  if (*first < first_hashed) return std::optional<uint64_t>();
  for (uint32_t index = *first; index - *first < kMaxChain; ++index) {
    const auto chain = memory_.read<uint32_t>(chain_table + sizeof(uint32_t) * uint64_t{index - first_hashed});
    if (!chain) return chain.error();
    if ((*chain | 1U) == (hash | 1U)) {
      auto address = address_if_named(index, name);
      if (!address || *address) return address;
    }
    if ((*chain & 1U) != 0) return std::optional<uint64_t>();
  }
  return Error("symbol chain without an end");
}

Result<std::optional<uint64_t>> ElfSymbols::find_by_sysv_hash(std::string_view name) const {
  // Number of buckets, number of symbols; buckets; for each symbol the next one of its bucket.
  const auto header = memory_.read<std::array<uint32_t, 2>>(tables_.sysv_hash);
  if (!header) return header.error();
  const auto [buckets, symbols] = *header;
  if (buckets == 0) return Error("malformed symbol hash");
  const uint64_t bucket_table = tables_.sysv_hash + sizeof(*header);
  const uint64_t next_table = bucket_table + sizeof(uint32_t) * uint64_t{buckets};
  auto index = memory_.read<uint32_t>(bucket_table + sizeof(uint32_t) * (sysv_hash(name) % buckets));
  for (uint32_t steps = 0; steps < kMaxChain; ++steps) {
    if (!index) return index.error();
    if (*index == STN_UNDEF) return std::optional<uint64_t>();
    auto address = address_if_named(*index, name);
    if (!address || *address) return address;
    index = memory_.read<uint32_t>(next_table + sizeof(uint32_t) * uint64_t{*index});
  }
  return Error("symbol chain without an end");
}

Result<std::optional<uint64_t>> ElfSymbols::address_if_named(uint32_t index, std::string_view name) const {
  const auto symbol = memory_.read<Elf64_Sym>(tables_.symbols + sizeof(Elf64_Sym) * uint64_t{index});
  if (!symbol) return symbol.error();
  const auto found = memory_.read_string(tables_.names + symbol->st_name, kMaxName);
  if (!found) return found.error();
  return *found == name ? std::optional(base_ + symbol->st_value) : std::nullopt;
}

}  // namespace manometer::jvm
