#pragma once

#include <gtest/gtest.h>

namespace manometer::test {

/// True where a skipped test counts as failed (MANOMETER_FORBID_SKIP=1, which .ci/run sets).
bool skipping_is_forbidden();

}  // namespace manometer::test

/// Skips the test with a reason that a person can act on.
#define MANOMETER_SKIP(reason)                                                                             \
  do {                                                                                                     \
    if (manometer::test::skipping_is_forbidden()) FAIL() << "must run here, but would skip: " << (reason); \
    GTEST_SKIP() << (reason);                                                                              \
  } while (false)
