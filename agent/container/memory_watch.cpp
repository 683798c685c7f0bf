#include "agent/container/memory_watch.h"

#include <algorithm>

namespace manometer::container {

Result<void> MemoryWatch::add(uint64_t cgroup, const Target& target, const std::string& path) {
  std::erase(released_, cgroup);
  if (!cgroups_.contains(cgroup)) {
    auto added = probe_.add(cgroup);
    if (!added) return added;
  }
  Watched& watched = cgroups_[cgroup];
  // A pod's container that had names keeps them until it is given them again.
  if (!watched.target.pod) watched.target = target;
  watched.path = path;
  watched.lingers = false;
  return {};
}

void MemoryWatch::rename(uint64_t cgroup, const Target& target) {
  const auto found = cgroups_.find(cgroup);
  if (found != cgroups_.end()) found->second.target = target;
}

void MemoryWatch::release(uint64_t cgroup) {
  const auto found = cgroups_.find(cgroup);
  if (found == cgroups_.end()) return;
  found->second.lingers = true;
  released_.push_back(cgroup);
  if (released_.size() <= lingering_) return;
  forget(released_.front());
  released_.pop_front();
}

void MemoryWatch::forget(uint64_t cgroup) {
  const Watched& watched = cgroups_.at(cgroup);
  if (const auto counts = read(cgroup)) history_.add(watched.target, watched.path, counts->oom_kills);
  probe_.remove(cgroup);
  cgroups_.erase(cgroup);
}

std::map<Target, uint64_t> MemoryWatch::oom_kills() const {
  std::map<Target, uint64_t> out;
  for (const auto& [target, kills] : history_.all()) out[target] = kills.count;
  for (const auto& [cgroup, watched] : cgroups_) {
    const auto counts = read(cgroup);
    if (counts && (!watched.lingers || counts->oom_kills > 0)) out[watched.target] += counts->oom_kills;
  }
  return out;
}

bool MemoryWatch::is_taken(const Target& target, const std::string& path) const {
  if (target.pod) return false;  // a pod's container that starts again has another path
  const auto past = history_.all().find(target);
  if (past != history_.all().end() && past->second.path != path) return true;
  return std::ranges::any_of(cgroups_, [&](const auto& entry) {
    const auto& [cgroup, watched] = entry;
    if (watched.target != target || watched.path == path) return false;
    const auto counts = read(cgroup);
    return counts && counts->oom_kills > 0;
  });
}

}  // namespace manometer::container
