#pragma once

#include <cstdint>
#include <string_view>

#include "agent/base/result.h"

namespace manometer::node {

/// Totals of a pressure file (memory.pressure), since the cgroup was made. Source: Documentation/accounting/psi.rst.
struct Psi {
  uint64_t some_us = 0;  // at least one task waited
  uint64_t full_us = 0;  // all tasks waited at once
};

Result<Psi> parse_psi(std::string_view text);

}  // namespace manometer::node
