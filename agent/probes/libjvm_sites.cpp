#include "agent/probes/libjvm_sites.h"

#include <algorithm>
#include <array>
#include <elf.h>
#include <optional>
#include <string>
#include <string_view>

#include "agent/probes/elf_file.h"
#include "agent/probes/usdt_arguments.h"
#include "agent/probes/usdt_notes.h"

namespace manometer::probes {
namespace {

constexpr uint64_t kMaxSymbols = 1'000'000;  // JDK 25 has 70,000
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
    Function{"_ZN14ZPageAllocator19alloc_page_blockingE", &LibjvmSites::may_stall},
    Function{"_ZN5ZPage5resetE", &LibjvmSites::no_stall},
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

constexpr Sites kPools = &LibjvmSites::pool_ends;
constexpr std::string_view kPoolProbe = "mem__pool__gc__end";

constexpr std::array kUsdtProbes{
    UsdtProbe{"hs_private", "safepoint__begin", &LibjvmSites::safepoint_begin},
    UsdtProbe{"hs_private", "safepoint__end", &LibjvmSites::safepoint_end},
    UsdtProbe{"hotspot", "gc__begin", &LibjvmSites::collects},
    UsdtProbe{"hotspot", kPoolProbe, kPools},
};

/// nullptr: none of ours. A name goes on behind ours with arguments; a dot in them is of a part that was split off.
Result<const Function*> function_of(const ElfFile& library, const Elf64_Shdr& names, uint64_t offset) {
  constexpr size_t kTellsApart = 96;
  constexpr size_t kLongest = 512;
  const auto beginning = library.text_at(names, offset, kTellsApart);
  if (!beginning) return beginning.error();
  const auto function =
      std::ranges::find_if(kFunctions, [&](const Function& one) { return beginning->starts_with(one.mangled); });
  if (function == kFunctions.end()) return nullptr;
  const auto name = library.text_at(names, offset, kLongest);
  if (!name) return name.error();
  return name->find('.') == std::string::npos ? &*function : nullptr;
}

Result<void> add_site(LibjvmSites& sites, Sites which, std::optional<uint64_t> offset) {
  std::vector<uint64_t>& found = sites.*which;
  if (!offset) return Error("libjvm.so: a function that is not in its code");
  if (found.size() == kMaxSites) return Error("libjvm.so: one function too often");
  found.push_back(*offset);
  return {};
}

/// The probe of pools takes nothing else away where it cannot be used.
void add_pool_end(LibjvmSites& sites, std::optional<uint64_t> offset) {
  if (!offset) {
    sites.no_pools = "it is not at a nop";
  } else if (sites.pool_ends.size() == kMaxSites) {
    sites.no_pools = "it is in too many places";
  } else {
    sites.pool_ends.push_back(*offset);
  }
}

void add_pools(LibjvmSites& sites, const std::vector<UsdtNote>& notes) {
  if (!sites.no_pools.empty()) sites.pool_ends.clear();
  if (sites.pool_ends.empty()) return;
  auto arguments = arguments_of(notes, "hotspot", kPoolProbe, GC_POOL_ARGUMENTS);
  if (arguments) {
    sites.pool_arguments = *std::move(arguments);
  } else {
    sites.pool_ends.clear();
    sites.no_pools = arguments.error().message();
  }
}

Result<LibjvmSites> by_symbols(const ElfFile& library) {
  const auto table = std::ranges::find(library.sections(), SHT_SYMTAB, &Elf64_Shdr::sh_type);
  if (table == library.sections().end()) return LibjvmSites();  // stripped
  if (table->sh_link >= library.sections().size()) return Error("libjvm.so: symbols without names");
  const Elf64_Shdr& names = library.sections()[table->sh_link];
  const uint64_t count = table->sh_size / sizeof(Elf64_Sym);
  if (count > kMaxSymbols) return Error("libjvm.so: more than a million symbols");
  LibjvmSites sites;
  for (uint64_t first = 0; first < count; first += kChunk) {
    const uint64_t offset = table->sh_offset + first * sizeof(Elf64_Sym);
    const auto symbols = library.read<Elf64_Sym>(offset, std::min(kChunk, count - first));
    if (!symbols) return symbols.error();
    for (const Elf64_Sym& symbol : *symbols) {
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
      const auto function = function_of(library, names, symbol.st_name);
      if (!function) return function.error();
      if (*function == nullptr) continue;
      const auto added = add_site(sites, (*function)->sites, library.file_offset(symbol.st_value));
      if (!added) return added.error();
    }
  }
  // Every ZGC has the second.
  if (sites.may_stall.empty()) sites.no_stall.clear();
  if (sites.no_stall.empty()) sites.may_stall.clear();
  return sites;
}

std::optional<uint64_t> usdt_offset(const ElfFile& library, const UsdtNote& note) {
#if defined(__x86_64__)
  constexpr std::array<uint8_t, 1> kNop{0x90};
#elif defined(__aarch64__)
  constexpr std::array<uint8_t, 4> kNop{0x1f, 0x20, 0x03, 0xd5};
#endif
  // Whoever moved the code after the notes were written, prelink for one, has moved this section with it.
  const Elf64_Shdr* base = library.section(".stapsdt.base");
  const uint64_t moved = base == nullptr ? 0 : base->sh_addr - note.base;
  const auto offset = library.file_offset(note.address + moved);
  if (!offset || note.semaphore != 0) return std::nullopt;
  const auto code = library.read<uint8_t>(*offset, kNop.size());
  return code && std::ranges::equal(*code, kNop) ? offset : std::nullopt;
}

/// Without any if it has no notes, or one that is not at a nop: what is overwritten there must do nothing.
Result<LibjvmSites> by_usdt(const ElfFile& library) {
  LibjvmSites sites;
  const Elf64_Shdr* notes = library.section(".note.stapsdt");
  if (notes == nullptr) return sites;
  const auto bytes = library.read_section(*notes);
  if (!bytes) return bytes.error();
  const auto parsed = parse_usdt_notes({bytes->data(), bytes->size()});
  if (!parsed) return parsed.error();
  for (const UsdtNote& note : *parsed) {
    const auto probe = std::ranges::find_if(
        kUsdtProbes, [&](const UsdtProbe& one) { return one.provider == note.provider && one.name == note.name; });
    if (probe == kUsdtProbes.end()) continue;
    const auto offset = usdt_offset(library, note);
    if (probe->sites == kPools) {
      add_pool_end(sites, offset);
      continue;
    }
    if (!offset) return LibjvmSites();
    const auto added = add_site(sites, probe->sites, offset);
    if (!added) return added.error();
  }
  add_pools(sites, *parsed);
  return sites;
}

}  // namespace

Result<LibjvmSites> find_libjvm_sites(int file) {
  const auto library = ElfFile::open(file);
  if (!library) return library.error();
  auto sites = by_symbols(*library);
  if (!sites) return sites;
  auto usdt = by_usdt(*library);
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
