#pragma once

#include <cstddef>

namespace manometer {

/// How much is measured at once. What comes beyond is refused: what is known already stays.
struct Limits {
  static constexpr size_t kMost = 2000;  // of each

  size_t jvms = 500;         // of these, a Kubernetes node has no more pods
  size_t watched = 500;      // processes that --watch names
  size_t containers = 1000;  // of both
};

}  // namespace manometer
