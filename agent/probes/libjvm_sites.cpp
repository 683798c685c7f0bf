#include "agent/probes/libjvm_sites.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>

#include "agent/probes/usdt_arguments.h"
#include "agent/probes/usdt_notes.h"

namespace manometer::probes {
namespace {

// JDK 25 has 34 sections and 10 segments, 70,000 symbols, 400 bytes of names of sections, and 50 KB of notes.
constexpr size_t kMaxHeaders = 1024;
constexpr uint64_t kMaxSymbols = 1'000'000;
constexpr uint64_t kMaxSectionBytes = 1 << 20;
// Symbols that are read at once: many of us can look into such a file at the same time.
constexpr uint64_t kChunk = 1024;
// One for each ZGC in the library, JDK 21 has two; collections begin in four places of JDK 11.
constexpr size_t kMaxSites = 8;

using Sites = std::vector<uint64_t> LibjvmSites::*;

struct Function {
  std::string_view mangled;  // up to its arguments, which differ between versions
  Sites sites;
};

// X: the ZGC without generations, where there is another.
constexpr std::array kFunctions{
    Function{"_ZN14ZPageAllocator16alloc_page_stallE", &LibjvmSites::stall_begin},
    Function{"_ZN14XPageAllocator16alloc_page_stallE", &LibjvmSites::stall_begin},
    Function{"_ZNK18ZStatCriticalPhase12register_endE", &LibjvmSites::stall_end},
    Function{"_ZNK18XStatCriticalPhase12register_endE", &LibjvmSites::stall_end},
    // The one with another argument, whether to wait, came in JDK 22; so names are told apart to their end here.
    Function{"_ZN23ShenandoahControlThread20handle_alloc_failureER22ShenandoahAllocRequestb", &LibjvmSites::block_if},
    Function{"_ZN20ShenandoahController20handle_alloc_failureER22ShenandoahAllocRequestb", &LibjvmSites::block_if},
    Function{"_ZN20ShenandoahController20handle_alloc_failureERK22ShenandoahAllocRequestb", &LibjvmSites::block_if},
    Function{"_ZN23ShenandoahControlThread20handle_alloc_failureER22ShenandoahAllocRequest", &LibjvmSites::block},
    // Just before those are woken, for JDK 11 to 21, which have inlined that.
    Function{"_ZN25ShenandoahCollectorPolicy26record_success_degeneratedE", &LibjvmSites::unblock},
    Function{"_ZN25ShenandoahCollectorPolicy19record_success_fullE", &LibjvmSites::unblock},
    Function{"_ZN25ShenandoahCollectorPolicy25record_success_concurrentE", &LibjvmSites::abreast},
    Function{"_ZN20ShenandoahController28notify_alloc_failure_waitersE", &LibjvmSites::unblock},
    Function{"_ZN14RuntimeService22record_safepoint_beginE", &LibjvmSites::safepoint_begin},
    Function{"_ZN14RuntimeService20record_safepoint_endE", &LibjvmSites::safepoint_end},
    Function{"_ZN15VM_GC_Operation15notify_gc_beginE", &LibjvmSites::collects},
    // Those that have it inlined: Serial's, and who wants room for classes.
    Function{"_ZN17VM_GenCollectFull4doitE", &LibjvmSites::collects},
    Function{"_ZN26VM_GenCollectForAllocation4doitE", &LibjvmSites::collects},
    Function{"_ZN31VM_CollectForMetadataAllocation4doitE", &LibjvmSites::collects},
};

struct UsdtProbe {
  std::string_view provider;
  std::string_view name;
  Sites sites;
};

constexpr std::string_view kPoolProbe = "mem__pool__gc__end";

constexpr std::array kUsdtProbes{
    UsdtProbe{"hs_private", "safepoint__begin", &LibjvmSites::safepoint_begin},
    UsdtProbe{"hs_private", "safepoint__end", &LibjvmSites::safepoint_end},
    UsdtProbe{"hotspot", "gc__begin", &LibjvmSites::collects},
    UsdtProbe{"hotspot", kPoolProbe, &LibjvmSites::pool_ends},
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

Result<std::vector<char>> read_section(int file, const Elf64_Shdr& section) {
  if (section.sh_type == SHT_NOBITS || section.sh_size > kMaxSectionBytes)
    return Error("libjvm.so: names or notes of more than " + std::to_string(kMaxSectionBytes >> 20) + " MiB");
  return read_part<char>(file, section.sh_offset, section.sh_size);
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

/// The text at an offset of a section of names, up to its end or the section's, cut at Size bytes; empty if it is not
/// in there.
template <size_t Size>
Result<std::string> text_at(int file, const Elf64_Shdr& names, uint64_t offset) {
  std::string text(offset < names.sh_size ? std::min<uint64_t>(names.sh_size - offset, Size) : 0, '\0');
  const ssize_t n = ::pread(file, text.data(), text.size(), static_cast<off_t>(names.sh_offset + offset));
  if (n < 0) return Error::from_errno("read libjvm.so");
  text.resize(std::min(static_cast<size_t>(n), text.find('\0')));
  return text;
}

/// nullptr: none of ours. A name goes on behind ours with arguments; a dot in them is of a part that was split off.
Result<const Function*> function_of(int file, const Elf64_Shdr& names, uint64_t offset) {
  constexpr size_t kTellsApart = 96;
  constexpr size_t kLongest = 512;
  const auto beginning = text_at<kTellsApart>(file, names, offset);
  if (!beginning) return beginning.error();
  const auto function =
      std::ranges::find_if(kFunctions, [&](const Function& one) { return beginning->starts_with(one.mangled); });
  if (function == kFunctions.end()) return nullptr;
  const auto name = text_at<kLongest>(file, names, offset);
  if (!name) return name.error();
  return name->find('.') == std::string::npos ? &*function : nullptr;
}

/// The name of a section, or as much of it as tells it from ours.
std::string_view name_at(std::string_view names, size_t offset) {
  constexpr size_t kLongest = 64;
  if (offset >= names.size()) return {};
  const std::string_view rest = names.substr(offset, kLongest);
  return rest.substr(0, rest.find('\0'));
}

Result<void> add_site(LibjvmSites& sites, Sites which, std::optional<uint64_t> offset) {
  std::vector<uint64_t>& found = sites.*which;
  if (!offset) return Error("libjvm.so: a function that is not in its code");
  if (found.size() == kMaxSites) return Error("libjvm.so: one function too often");
  found.push_back(*offset);
  return {};
}

/// Arguments that are not understood take nothing else away.
void add_pools(LibjvmSites& sites, const std::vector<UsdtNote>& notes) {
  if (sites.pool_ends.empty()) return;
  auto arguments = arguments_of(notes, "hotspot", kPoolProbe, GC_POOL_ARGUMENTS);
  if (arguments) {
    sites.pool_arguments = *std::move(arguments);
  } else {
    sites.pool_ends.clear();
    sites.no_pools = arguments.error().message();
  }
}

/// The headers of a libjvm, and what is found by them.
class Library {
 public:
  static Result<Library> open(int file);

  Result<LibjvmSites> by_symbols() const;
  /// Without any if it has no notes, or one that is not at a nop: what is overwritten there must do nothing.
  Result<LibjvmSites> by_usdt() const;

 private:
  const Elf64_Shdr* section(std::string_view name) const;
  std::optional<uint64_t> usdt_offset(const UsdtNote& note) const;

  int file_ = -1;
  std::vector<Elf64_Shdr> sections_;
  std::vector<Elf64_Phdr> segments_;
  std::vector<char> section_names_;
};

Result<Library> Library::open(int file) {
  const auto header = read_header(file);
  if (!header) return header.error();
  Library library;
  library.file_ = file;
  auto sections = read_part<Elf64_Shdr>(file, header->e_shoff, header->e_shnum);
  if (!sections) return sections.error();
  library.sections_ = *std::move(sections);
  auto segments = read_part<Elf64_Phdr>(file, header->e_phoff, header->e_phnum);
  if (!segments) return segments.error();
  library.segments_ = *std::move(segments);
  if (header->e_shstrndx >= library.sections_.size()) return library;
  auto names = read_section(file, library.sections_[header->e_shstrndx]);
  if (!names) return names.error();
  library.section_names_ = *std::move(names);
  return library;
}

const Elf64_Shdr* Library::section(std::string_view name) const {
  const std::string_view names(section_names_.data(), section_names_.size());
  const auto found = std::ranges::find_if(
      sections_, [&](const Elf64_Shdr& section) { return name_at(names, section.sh_name) == name; });
  return found == sections_.end() ? nullptr : &*found;
}

Result<LibjvmSites> Library::by_symbols() const {
  const auto table = std::ranges::find(sections_, SHT_SYMTAB, &Elf64_Shdr::sh_type);
  if (table == sections_.end()) return LibjvmSites();  // stripped
  if (table->sh_link >= sections_.size()) return Error("libjvm.so: symbols without names");
  const Elf64_Shdr& names = sections_[table->sh_link];
  const uint64_t count = table->sh_size / sizeof(Elf64_Sym);
  if (count > kMaxSymbols) return Error("libjvm.so: more than a million symbols");
  LibjvmSites sites;
  for (uint64_t first = 0; first < count; first += kChunk) {
    const uint64_t offset = table->sh_offset + first * sizeof(Elf64_Sym);
    const auto symbols = read_part<Elf64_Sym>(file_, offset, std::min(kChunk, count - first));
    if (!symbols) return symbols.error();
    for (const Elf64_Sym& symbol : *symbols) {
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
      const auto function = function_of(file_, names, symbol.st_name);
      if (!function) return function.error();
      if (*function == nullptr) continue;
      const auto added = add_site(sites, (*function)->sites, file_offset(segments_, symbol.st_value));
      if (!added) return added.error();
    }
  }
  return sites;
}

std::optional<uint64_t> Library::usdt_offset(const UsdtNote& note) const {
#if defined(__x86_64__)
  constexpr std::array<uint8_t, 1> kNop{0x90};
#elif defined(__aarch64__)
  constexpr std::array<uint8_t, 4> kNop{0x1f, 0x20, 0x03, 0xd5};
#endif
  // Whoever moved the code after the notes were written, prelink for one, has moved this section with it.
  const Elf64_Shdr* base = section(".stapsdt.base");
  const uint64_t moved = base == nullptr ? 0 : base->sh_addr - note.base;
  const auto offset = file_offset(segments_, note.address + moved);
  if (!offset || note.semaphore != 0) return std::nullopt;
  const auto code = read_part<uint8_t>(file_, *offset, kNop.size());
  return code && std::ranges::equal(*code, kNop) ? offset : std::nullopt;
}

Result<LibjvmSites> Library::by_usdt() const {
  LibjvmSites sites;
  const Elf64_Shdr* notes = section(".note.stapsdt");
  if (notes == nullptr) return sites;
  const auto bytes = read_section(file_, *notes);
  if (!bytes) return bytes.error();
  const auto parsed = parse_usdt_notes({bytes->data(), bytes->size()});
  if (!parsed) return parsed.error();
  for (const UsdtNote& note : *parsed) {
    const auto probe = std::ranges::find_if(
        kUsdtProbes, [&](const UsdtProbe& one) { return one.provider == note.provider && one.name == note.name; });
    if (probe == kUsdtProbes.end()) continue;
    const auto offset = usdt_offset(note);
    if (!offset) return LibjvmSites();
    const auto added = add_site(sites, probe->sites, offset);
    if (!added) return added.error();
  }
  add_pools(sites, *parsed);
  return sites;
}

}  // namespace

Result<LibjvmSites> find_libjvm_sites(int file) {
  const auto library = Library::open(file);
  if (!library) return library.error();
  auto sites = library->by_symbols();
  if (!sites) return sites;
  auto usdt = library->by_usdt();
  if (!usdt) return usdt.error();
  sites->pool_ends = std::move(usdt->pool_ends);
  sites->pool_arguments = std::move(usdt->pool_arguments);
  sites->no_pools = std::move(usdt->no_pools);
  sites->pauses_by = "symbols";
  if (usdt->tells_pauses() && !usdt->collects.empty()) {
    sites->safepoint_begin = usdt->safepoint_begin;
    sites->safepoint_end = usdt->safepoint_end;
    sites->collects = usdt->collects;
    sites->pauses_by = "usdt";
  }
  return sites;
}

}  // namespace manometer::probes
