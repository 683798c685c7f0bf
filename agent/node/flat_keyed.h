#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "agent/base/result.h"

namespace manometer::node {

/// A file of "key value" lines, as memory.stat, memory.events and memory.oom_control are. Which keys there are depends
/// on the kernel.
class FlatKeyed {
 public:
  std::optional<uint64_t> get(std::string_view key) const;

 private:
  friend Result<FlatKeyed> parse_flat_keyed(std::string_view text);
  std::unordered_map<std::string, uint64_t> values_;
};

Result<FlatKeyed> parse_flat_keyed(std::string_view text);

}  // namespace manometer::node
