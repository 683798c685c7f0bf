#include "agent/jvm/vm_structs.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "agent/jvm/elf_symbols.h"

namespace manometer::jvm {
namespace {

using node::ProcessMemory;

constexpr size_t kMaxStructs = 8192;  // 788 entries in JDK 17, 585 in 25
constexpr size_t kMaxName = 128;

/// How an entry of the table is laid out in this libjvm, by symbols it exports for that purpose.
struct EntryShape {
  uint64_t table = 0;  // address of the first entry
  uint64_t stride = 0;
  uint64_t type_name = 0;
  uint64_t field_name = 0;
  uint64_t address = 0;  // of the static field
};

Result<std::optional<EntryShape>> read_shape(const ProcessMemory& memory, const ElfSymbols& symbols) {
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
  // Compared without a sum, which a hostile offset could wrap around.
  if (shape.stride > kMaxStride || last > shape.stride || shape.stride - last < sizeof(uint64_t))
    return Error("malformed entry layout");
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
  const auto symbols = ElfSymbols::open(memory, base);
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
