#pragma once

#include <cstdint>
#include <vector>

#include "agent/base/result.h"

namespace manometer::probes {

/// Where functions of a libjvm begin, as offsets in its file. Empty: it has none, or was stripped of their names.
struct LibjvmSites {
  std::vector<uint64_t> stall_begin;  // ZGC makes a thread wait for memory
  std::vector<uint64_t> stall_end;    // ZGC notes how long a thread waited, for memory or something else

  bool tells_stalls() const { return !stall_begin.empty() && !stall_end.empty(); }
};

/// Finds them by their names in .symtab. file: a regular one, open for reading; it is hostile, may be changed
/// meanwhile, and can hang: for the blocking pool only. An Error: it is no ELF file for 64 bits, not what
/// it says it is, or has such functions too often.
Result<LibjvmSites> find_libjvm_sites(int file);

}  // namespace manometer::probes
