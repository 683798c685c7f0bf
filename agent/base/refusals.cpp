#include "agent/base/refusals.h"

#include <algorithm>

#include <fmt/format.h>

namespace manometer {

std::string_view to_string(Refusals::Limit limit) {
  switch (limit) {
    case Refusals::Limit::kJvms:
      return "jvms";
    case Refusals::Limit::kWatched:
      return "watched";
    case Refusals::Limit::kContainers:
      return "containers";
  }
  return "";
}

void Refusals::add(Limit limit, size_t most, const ProcessKey& key) {
  const auto [known, fresh] = refused_.try_emplace(key.pid, key.start_ticks);
  if (!fresh && known->second == key.start_ticks) return;
  known->second = key.start_ticks;
  ++counts_[limit];
  const std::string flag = fmt::format("--max-{}", to_string(limit));
  log_.warn(flag, fmt::format("process {} is not measured, nor are others, as long as there are {} ({})", key.pid, most,
                              flag));
}

void Refusals::remove(const ProcessKey& key) {
  const auto known = refused_.find(key.pid);
  if (known != refused_.end() && known->second == key.start_ticks) refused_.erase(known);
}

void Refusals::keep(const std::vector<pid_t>& pids) {
  std::erase_if(refused_, [&](const auto& entry) { return !std::ranges::binary_search(pids, entry.first); });
}

uint64_t Refusals::count(Limit limit) const {
  const auto found = counts_.find(limit);
  return found == counts_.end() ? 0 : found->second;
}

}  // namespace manometer
