#pragma once

#include "agent/base/result.h"

namespace manometer {

/// Lets this process have as many open files as it may; the soft limit is often 1,024. How many that is.
Result<size_t> raise_descriptor_limit();

}  // namespace manometer
