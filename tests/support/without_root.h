#pragma once

#include <functional>
#include <sys/types.h>

namespace manometer::test {

/// Runs a check in a child of this process that is not root (any more); true if it returned true. The child has no more
/// than a copy of this process's memory.
bool without_root(const std::function<bool()>& check);

/// Makes this process another user's if it is root's. False if it cannot.
bool drop_root();

}  // namespace manometer::test
