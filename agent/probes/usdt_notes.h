#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "agent/base/result.h"

namespace manometer::probes {

/// One place of a USDT probe, as systemtap's <sys/sdt.h> describes it.
struct UsdtNote {
  uint64_t address = 0;    // of a nop
  uint64_t base = 0;       // where .stapsdt.base was when the note was written
  uint64_t semaphore = 0;  // address of a counter that has to be raised first; 0: none
  std::string_view provider;
  std::string_view name;
  std::string_view arguments;  // as the assembler wrote them, by spaces; empty: it has none
};

/// What a section .note.stapsdt of a file for 64 bits has; notes of others in it are passed over. section: hostile; it
/// must outlive the notes. An Error: a note ends before what it says it has.
Result<std::vector<UsdtNote>> parse_usdt_notes(std::string_view section);

}  // namespace manometer::probes
