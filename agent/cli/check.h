#pragma once

#include "agent/base/result.h"
#include "agent/config.h"

namespace manometer::cli {

/// `manometer check`: prints what works here and what does not. True: the variant's minimum is there.
Result<bool> check(const CheckConfig& config);

}  // namespace manometer::cli
