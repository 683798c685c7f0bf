#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/base/result.h"
#include "agent/node/process_memory.h"

namespace manometer::jvm {

/// The dynamic symbols of a library that a process has loaded, read from its memory alone: the tables for them are
/// loaded with the library, so no file has to be opened. Everything read may be hostile.
class ElfSymbols {
 public:
  /// base: where the first byte of the library is mapped. memory must outlive the object.
  static Result<ElfSymbols> open(const node::ProcessMemory& memory, uint64_t base);

  /// The symbol's address in the process; nullopt if the library exports none of that name.
  Result<std::optional<uint64_t>> find(std::string_view name) const;

 private:
  /// What PT_DYNAMIC says of the symbols, as addresses in the process; 0 for what the library lacks.
  struct Tables {
    uint64_t symbols = 0;
    uint64_t names = 0;
    uint64_t sysv_hash = 0;
    uint64_t gnu_hash = 0;
  };

  ElfSymbols(const node::ProcessMemory& memory, uint64_t base, const Tables& tables)
      : memory_(memory), base_(base), tables_(tables) {}

  static Result<uint64_t> find_dynamic(const node::ProcessMemory& memory, uint64_t base);
  static Result<Tables> read_tables(const node::ProcessMemory& memory, uint64_t base);
  Result<std::optional<uint64_t>> find_by_gnu_hash(std::string_view name) const;
  Result<std::optional<uint64_t>> find_by_sysv_hash(std::string_view name) const;
  Result<std::optional<uint64_t>> address_if_named(uint32_t index, std::string_view name) const;

  const node::ProcessMemory& memory_;
  uint64_t base_;
  Tables tables_;
};

}  // namespace manometer::jvm
