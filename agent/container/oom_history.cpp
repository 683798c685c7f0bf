#include "agent/container/oom_history.h"

#include <algorithm>

namespace manometer::container {

void OomHistory::add(const Target& target, const std::string& path, uint64_t kills) {
  if (kills == 0) return;
  Kills& known = kills_[target];
  known.count += kills;
  known.path = path;
  known.number = ++last_number_;
  if (kills_.size() <= capacity_) return;
  kills_.erase(std::ranges::min_element(kills_, {}, [](const auto& entry) { return entry.second.number; }));
}

}  // namespace manometer::container
