#include "agent/node/flat_keyed.h"

#include "agent/base/text.h"

namespace manometer::node {

std::optional<uint64_t> FlatKeyed::get(std::string_view key) const {
  const auto it = values_.find(std::string(key));
  if (it == values_.end()) return std::nullopt;
  return it->second;
}

Result<FlatKeyed> parse_flat_keyed(std::string_view text) {
  FlatKeyed file;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    const std::string_view key = take_until(line, ' ');
    uint64_t value = 0;
    if (!parse_number(line, value)) return Error("malformed value of '" + std::string(key) + "'");
    file.values_.emplace(key, value);
  }
  return file;
}

}  // namespace manometer::node
