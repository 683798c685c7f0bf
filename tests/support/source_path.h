#pragma once

#include <string>

namespace manometer::test {

/// A path in the source tree.
inline std::string source_path(const std::string& relative) {
  return std::string(MANOMETER_SOURCE_DIR "/") + relative;
}

}  // namespace manometer::test
