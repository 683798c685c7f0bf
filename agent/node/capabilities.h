#pragma once

#include <cstdint>
#include <string_view>

#include "agent/base/result.h"

namespace manometer::node {

/// Those the agent can make use of; numbers from linux/capability.h.
enum class Capability {
  kDacReadSearch = 2,
  kNetAdmin = 12,
  kSysPtrace = 19,
  kPerfmon = 38,
  kBpf = 39,
  kCheckpointRestore = 40,
};

/// The CapEff line of /proc/<pid>/status, as a mask.
Result<uint64_t> parse_effective_capabilities(std::string_view status);

/// Whether this process has it now.
Result<bool> has_capability(Capability capability);

}  // namespace manometer::node
