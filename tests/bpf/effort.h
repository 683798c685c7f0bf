#pragma once

#include <cstddef>
#include <cstdlib>

namespace manometer::test {

/// True in a virtual machine under emulation, ten times slower than here (vm/run says so).
inline bool is_emulated() {
  return std::getenv("MANOMETER_EMULATED") != nullptr;  // NOLINT(concurrency-mt-unsafe): nobody sets it
}

/// How often to do what is done many times.
inline size_t effort(size_t here, size_t emulated) {
  return is_emulated() ? emulated : here;
}

}  // namespace manometer::test
