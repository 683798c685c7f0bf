#include "agent/probes/libjvm_sites.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <optional>
#include <span>
#include <string_view>
#include <unistd.h>

namespace manometer::probes {
namespace {

// JDK 25 has 34 sections and 10 segments, 1.7 MB of symbols and 3.3 MB of names.
constexpr size_t kMaxHeaders = 1024;
constexpr uint64_t kMaxSectionBytes = 16 << 20;
// One for each ZGC in the library; JDK 21 has two.
constexpr size_t kMaxSites = 4;

struct Function {
  std::string_view mangled;  // up to its arguments, which differ between versions
  std::vector<uint64_t> LibjvmSites::*sites;
};

// X: the ZGC without generations, where there is another.
constexpr std::array kFunctions{
    Function{"_ZN14ZPageAllocator16alloc_page_stallE", &LibjvmSites::stall_begin},
    Function{"_ZN14XPageAllocator16alloc_page_stallE", &LibjvmSites::stall_begin},
    Function{"_ZNK18ZStatCriticalPhase12register_endE", &LibjvmSites::stall_end},
    Function{"_ZNK18XStatCriticalPhase12register_endE", &LibjvmSites::stall_end},
};

/// Each part is read once, by its own bound, and then looked at: a library for ELF trusts what the file says of its
/// sizes, with which a sparse one would take all our memory.
template <typename T>
Result<std::vector<T>> read_part(int file, uint64_t offset, size_t count) {
  std::vector<T> part(count);
  const auto bytes = std::as_writable_bytes(std::span(part));
  size_t used = 0;
  while (used < bytes.size()) {
    const ssize_t n = ::pread(file, &bytes[used], bytes.size() - used, static_cast<off_t>(offset + used));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::from_errno("read libjvm.so");
    if (n == 0) return Error("libjvm.so: ends before what it says it has");
    used += static_cast<size_t>(n);
  }
  return part;
}

Result<Elf64_Ehdr> read_header(int file) {
  constexpr auto kOrder = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
  const auto read = read_part<Elf64_Ehdr>(file, 0, 1);
  if (!read) return read.error();
  const Elf64_Ehdr& header = read->front();
  const auto* const ident = static_cast<const unsigned char*>(header.e_ident);
  if (std::memcmp(ident, ELFMAG, SELFMAG) != 0 || ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != kOrder)
    return Error("libjvm.so: not an ELF file for 64 bits");
  if (header.e_shnum > kMaxHeaders || header.e_phnum > kMaxHeaders) return Error("libjvm.so: too many headers");
  if ((header.e_shnum > 0 && header.e_shentsize != sizeof(Elf64_Shdr)) ||
      (header.e_phnum > 0 && header.e_phentsize != sizeof(Elf64_Phdr)))
    return Error("libjvm.so: headers of a wrong size");
  return header;
}

template <typename T>
Result<std::vector<T>> read_section(int file, const Elf64_Shdr& section) {
  if (section.sh_type == SHT_NOBITS || section.sh_size > kMaxSectionBytes)
    return Error("libjvm.so: symbols or names of more than 16 MiB");
  return read_part<T>(file, section.sh_offset, section.sh_size / sizeof(T));
}

/// The file's offset of what is loaded there as code.
std::optional<uint64_t> file_offset(std::span<const Elf64_Phdr> segments, uint64_t address) {
  const auto found = std::ranges::find_if(segments, [&](const Elf64_Phdr& segment) {
    const bool is_code = segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0;
    return is_code && address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz;
  });
  if (found == segments.end()) return std::nullopt;
  return address - found->p_vaddr + found->p_offset;
}

/// nullptr: none of ours. A name goes on behind ours with arguments; a dot in them is of a part that was split off.
const Function* function_of(std::string_view names, size_t offset) {
  constexpr size_t kLongest = 512;
  if (offset >= names.size()) return nullptr;
  const std::string_view rest = names.substr(offset, kLongest);
  for (const Function& function : kFunctions) {
    if (!rest.starts_with(function.mangled)) continue;
    const std::string_view name = rest.substr(0, rest.find('\0'));
    return name.find('.') == std::string_view::npos ? &function : nullptr;
  }
  return nullptr;
}

Result<LibjvmSites> find_in(std::span<const Elf64_Sym> symbols, std::string_view names,
                            std::span<const Elf64_Phdr> segments) {
  LibjvmSites sites;
  for (const Elf64_Sym& symbol : symbols) {
    if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
    const Function* function = function_of(names, symbol.st_name);
    if (function == nullptr) continue;
    std::vector<uint64_t>& found = sites.*(function->sites);
    const auto offset = file_offset(segments, symbol.st_value);
    if (!offset) return Error("libjvm.so: a function that is not in its code");
    if (found.size() == kMaxSites) return Error("libjvm.so: one function too often");
    found.push_back(*offset);
  }
  return sites;
}

}  // namespace

Result<LibjvmSites> find_libjvm_sites(int file) {
  const auto header = read_header(file);
  if (!header) return header.error();
  const auto sections = read_part<Elf64_Shdr>(file, header->e_shoff, header->e_shnum);
  if (!sections) return sections.error();
  const auto table = std::ranges::find(*sections, SHT_SYMTAB, &Elf64_Shdr::sh_type);
  if (table == sections->end()) return LibjvmSites();  // stripped
  if (table->sh_link >= sections->size()) return Error("libjvm.so: symbols without names");
  const auto symbols = read_section<Elf64_Sym>(file, *table);
  if (!symbols) return symbols.error();
  const auto names = read_section<char>(file, (*sections)[table->sh_link]);
  if (!names) return names.error();
  const auto segments = read_part<Elf64_Phdr>(file, header->e_phoff, header->e_phnum);
  if (!segments) return segments.error();
  return find_in(*symbols, {names->data(), names->size()}, *segments);
}

}  // namespace manometer::probes
