#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>

#include "agent/metrics/batch.h"

namespace manometer {

/// A process for as long as it lives. The start time is part of it because pids are reused.
struct ProcessKey {
  pid_t pid = 0;
  uint64_t start_ticks = 0;  // since boot, /proc/<pid>/stat field 22

  auto operator<=>(const ProcessKey&) const = default;
};

/// Who a series is about (design section 4). What is not known is left out, never empty text.
struct TargetLabels {
  std::optional<std::string> namespace_name;
  std::optional<std::string> pod;
  std::optional<std::string> container;
  std::optional<pid_t> pid;  // in the target's own pid namespace

  auto operator<=>(const TargetLabels&) const = default;

  metrics::Labels to_labels() const {
    metrics::Labels out;
    if (namespace_name) out.push_back({"namespace", *namespace_name});
    if (pod) out.push_back({"pod", *pod});
    if (container) out.push_back({"container", *container});
    if (pid) out.push_back({"pid", std::to_string(*pid)});
    return out;
  }
};

}  // namespace manometer
