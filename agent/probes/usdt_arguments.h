#pragma once

#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/probes/usdt_notes.h"
#include "bpf/gc_pools.h"

namespace manometer::probes {

enum class Machine { kX86, kArm };
#if defined(__x86_64__)
inline constexpr Machine kThisMachine = Machine::kX86;
#elif defined(__aarch64__)
inline constexpr Machine kThisMachine = Machine::kArm;
#endif

/// Where a USDT probe has its arguments, as its note says, separated by spaces: "8@%rax", "8@-120(%rbp)", "4@$5"; on
/// Arm "8@x0", "8@[sp, 16]", "4@5". text: hostile. An Error: one is not of 64 bits, though a constant may be; or it is
/// in none of these places, of which compilers know more ("8@buffer(%rip)", "8@(%rax,%rbx,8)"); or there are more than
/// twelve, which <sys/sdt.h> has no macro for.
Result<std::vector<gc_argument>> parse_usdt_arguments(std::string_view text, Machine machine = kThisMachine);

/// Those of a probe that has so many. An Error: its places have them in different registers, as a program is not told
/// at which place it runs.
Result<std::vector<gc_argument>> arguments_of(const std::vector<UsdtNote>& notes, std::string_view provider,
                                              std::string_view name, size_t count);

}  // namespace manometer::probes
