#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "bpf/gc_pools.h"

namespace manometer::probes {

/// Places in the code of a libjvm, as offsets in its file. Empty: it has none, or was stripped of what tells them.
struct LibjvmSites {
  std::vector<uint64_t> stall_begin;      // ZGC makes a thread wait for memory
  std::vector<uint64_t> stall_end;        // ZGC notes how long a thread waited, for memory or something else
  std::vector<uint64_t> may_stall;        // JDK 11's ZGC takes memory, and makes the thread wait if there is none
  std::vector<uint64_t> no_stall;         // there was; or it has waited
  std::vector<uint64_t> block;            // Shenandoah makes a thread wait for memory
  std::vector<uint64_t> block_if;         // the same if its third argument is true
  std::vector<uint64_t> unblock;          // all that wait so go on
  std::vector<uint64_t> abreast;          // it has collected in time, so nobody waits so
  std::vector<uint64_t> safepoint_begin;  // all threads are about to be stopped
  std::vector<uint64_t> safepoint_end;    // they go on
  std::vector<uint64_t> collects;         // garbage is collected meanwhile
  std::string_view pauses_by;             // what told the last three: "usdt" or "symbols"
  std::vector<uint64_t> pool_ends;        // a collection has ended, once for each pool of memory; by USDT only
  std::vector<gc_argument> pool_arguments;
  std::string no_pools;  // why there are none, though the library has such places

  bool tells_stalls_of_zgc() const { return (!stall_begin.empty() || !may_stall.empty()) && !stall_end.empty(); }
  bool tells_stalls_of_shenandoah() const { return (!block.empty() || !block_if.empty()) && !unblock.empty(); }
  /// For which collects is no must: the JVM's counters tell nearly all collections.
  bool tells_pauses() const { return !safepoint_begin.empty() && !safepoint_end.empty(); }
  bool tells_pools() const { return !pool_ends.empty(); }
};

/// Finds them by its USDT notes or, without those, by the names of functions in .symtab. file: a regular one, open for
/// reading; it is hostile, may be changed meanwhile, and can hang: for the blocking pool only. An Error: it is no ELF
/// file for 64 bits, not what it says it is, or has such places too often.
Result<LibjvmSites> find_libjvm_sites(int file);

}  // namespace manometer::probes
