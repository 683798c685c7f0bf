#pragma once

#include "agent/base/result.h"
#include "agent/config.h"

namespace manometer::cli {

/// `manometer top`: draws what a running agent serves, until interrupted, or once. An Error if no agent answers at the
/// start; later it waits for it to come back.
Result<void> top(const TopConfig& config);

}  // namespace manometer::cli
