#include "tests/support/skip.h"

#include <cstdlib>
#include <string_view>

namespace manometer::test {

bool skipping_is_forbidden() {
  const char* value = std::getenv("MANOMETER_FORBID_SKIP");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace manometer::test
