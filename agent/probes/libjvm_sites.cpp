#include "agent/probes/libjvm_sites.h"

#include <array>
#include <gelf.h>
#include <memory>
#include <optional>
#include <string_view>

namespace manometer::probes {
namespace {

// JDK 25 has 1.7 MB of .symtab and 3.3 MB of names.
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

struct EndElf {
  void operator()(Elf* elf) const { ::elf_end(elf); }
};
using ElfFile = std::unique_ptr<Elf, EndElf>;

Error elf_error(const char* what) {
  return Error(std::string("libjvm.so: ") + what + ": " + ::elf_errmsg(-1));
}

Result<ElfFile> open_elf(int file) {
  ::elf_version(EV_CURRENT);
  // Not by mmap: a file that is cut short meanwhile would kill us.
  ElfFile elf(::elf_begin(file, ELF_C_READ, nullptr));
  if (!elf) return elf_error("open");
  if (::elf_kind(elf.get()) != ELF_K_ELF || ::gelf_getclass(elf.get()) != ELFCLASS64)
    return Error("libjvm.so: not an ELF file for 64 bits");
  return elf;
}

/// A section of at most kMaxSectionBytes; nullptr if it cannot be had.
const Elf_Data* read_section(Elf_Scn* section) {
  GElf_Shdr header{};
  if (section == nullptr || ::gelf_getshdr(section, &header) == nullptr) return nullptr;
  if (header.sh_type == SHT_NOBITS || header.sh_size > kMaxSectionBytes) return nullptr;
  return ::elf_getdata(section, nullptr);
}

/// nullptr: stripped.
Elf_Scn* symbol_table(Elf* elf) {
  Elf_Scn* section = nullptr;
  while ((section = ::elf_nextscn(elf, section)) != nullptr) {
    GElf_Shdr header{};
    if (::gelf_getshdr(section, &header) != nullptr && header.sh_type == SHT_SYMTAB) return section;
  }
  return nullptr;
}

std::string_view text_of(const Elf_Data* data) {
  if (data == nullptr || data->d_buf == nullptr) return {};
  return {static_cast<const char*>(data->d_buf), data->d_size};
}

/// The file's offset of what is loaded there as code.
std::optional<uint64_t> file_offset(Elf* elf, uint64_t address) {
  size_t count = 0;
  if (::elf_getphdrnum(elf, &count) != 0) return std::nullopt;
  for (size_t i = 0; i < count; ++i) {
    GElf_Phdr header{};
    if (::gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr) return std::nullopt;
    const bool is_code = header.p_type == PT_LOAD && (header.p_flags & PF_X) != 0;
    if (is_code && address >= header.p_vaddr && address - header.p_vaddr < header.p_filesz)
      return address - header.p_vaddr + header.p_offset;
  }
  return std::nullopt;
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

Result<void> find_in(Elf* elf, const Elf_Data* symbols, std::string_view names, LibjvmSites& sites) {
  const size_t count = symbols->d_size / sizeof(Elf64_Sym);
  for (size_t i = 0; i < count; ++i) {
    GElf_Sym symbol{};
    if (::gelf_getsym(const_cast<Elf_Data*>(symbols), static_cast<int>(i), &symbol) == nullptr) break;
    if (GELF_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
    const Function* function = function_of(names, symbol.st_name);
    if (function == nullptr) continue;
    std::vector<uint64_t>& found = sites.*(function->sites);
    const auto offset = file_offset(elf, symbol.st_value);
    if (!offset) return Error("libjvm.so: a function that is not in its code");
    if (found.size() == kMaxSites) return Error("libjvm.so: one function too often");
    found.push_back(*offset);
  }
  return {};
}

}  // namespace

Result<LibjvmSites> find_libjvm_sites(int file) {
  const auto elf = open_elf(file);
  if (!elf) return elf.error();
  LibjvmSites sites;
  // The format has one at most, and reading as many as a file can name would take all our memory.
  Elf_Scn* const section = symbol_table(elf->get());
  const Elf_Data* symbols = read_section(section);
  if (symbols == nullptr || symbols->d_buf == nullptr) return sites;
  GElf_Shdr header{};
  ::gelf_getshdr(section, &header);
  const std::string_view names = text_of(read_section(::elf_getscn(elf->get(), header.sh_link)));
  const auto found = find_in(elf->get(), symbols, names, sites);
  if (!found) return found.error();
  return sites;
}

}  // namespace manometer::probes
