#pragma once
// gHotSpotVMStructs: the table in which libjvm tells debuggers where its fields are. It is exported from every HotSpot,
// stripped ones too, and leads to the performance data of a JVM that has no file for it.

#include <cstdint>
#include <optional>
#include <string>

#include "agent/base/result.h"
#include "agent/node/process_memory.h"

namespace manometer::jvm {

/// What we look up in the table of one JVM. An address is 0 where the table has no such field.
struct VmStructs {
  uint64_t perf_start = 0;     // address of PerfMemory::_start, a char*
  uint64_t perf_capacity = 0;  // address of PerfMemory::_capacity, a size_t
};

/// base: where the first byte of libjvm.so is mapped. Reads nothing but the process's memory: the ELF tables needed are
/// loaded with the library. nullopt: the library has no such table, so it is not HotSpot.
Result<std::optional<VmStructs>> find_vm_structs(const node::ProcessMemory& memory, uint64_t base);

/// Where the performance data are.
struct PerfMemory {
  uint64_t start = 0;
  uint64_t capacity = 0;
};

/// nullopt: the JVM has none, not yet or not at all (-XX:-UsePerfData).
Result<std::optional<PerfMemory>> find_perf_memory(const node::ProcessMemory& memory, const VmStructs& structs);

}  // namespace manometer::jvm
