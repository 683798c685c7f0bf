#pragma once

#include <cstddef>

namespace manometer {

/// How much is measured at once. What comes beyond is refused: what is known already stays.
struct Limits {
  static constexpr size_t kMost = 2000;  // of each, but for connections
  static constexpr size_t kMostConnections = 262'144;

  size_t jvms = 500;            // of these, a Kubernetes node has no more pods
  size_t watched = 500;         // processes that --watch names
  size_t containers = 1000;     // of both
  size_t connections = 16'384;  // to both, where the kernel is older than 5.11: 0.7 KB each, used or not
};

}  // namespace manometer
