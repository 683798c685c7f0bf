#pragma once

#include <compare>
#include <optional>
#include <string>

#include "agent/metrics/batch.h"

namespace manometer::container {

/// Who a series is about (design section 4). What is not known is left out, never empty text.
struct Target {
  std::optional<std::string> namespace_name;
  std::optional<std::string> pod;
  std::optional<std::string> container;
  std::optional<std::string> pid;  // in the target's own pid namespace; not for a whole container

  auto operator<=>(const Target&) const = default;

  metrics::Labels labels() const {
    metrics::Labels out;
    if (namespace_name) out.push_back({"namespace", *namespace_name});
    if (pod) out.push_back({"pod", *pod});
    if (container) out.push_back({"container", *container});
    if (pid) out.push_back({"pid", *pid});
    return out;
  }
};

}  // namespace manometer::container
