#include "agent/container/index.h"

#include <algorithm>

#include "agent/container/cgroup_name.h"

namespace manometer::container {

std::string Index::acquire(const std::vector<node::CgroupLine>& lines) {
  std::string memory;
  std::string unified;
  for (const node::CgroupLine& line : lines) {
    if (line.has("memory")) memory = line.path;
    if (line.is_unified()) unified = line.path;
  }
  unified = parse_cgroup_name(unified).path;
  std::string key = memory.empty() ? unified : parse_cgroup_name(memory).path;
  auto found = containers_.find(key);
  if (found == containers_.end()) found = containers_.emplace(key, open(key, unified)).first;
  ++found->second.processes;
  return key;
}

/// The cgroup's name as a label, or its whole path if another container has, or had, that name: a series must be about
/// one container only.
Target Index::make_target(const std::string& path) const {
  Target target;
  const auto label = parse_cgroup_name(path).label;
  if (!label) return target;
  target.container = metrics::label_value(*label);
  bool taken = std::ranges::any_of(containers_, [&](const auto& other) { return other.second.target == target; });
  if (counts_) taken = taken || counts_->is_taken(target, path);
  if (taken) target.container = metrics::label_value(path);
  return target;
}

Container Index::open(const std::string& path, const std::string& unified_path) {
  Container container;
  container.target = make_target(path);
  if (!mount_) return container;
  auto memory = node::MemoryCgroup::open(*mount_, path, unified_path);
  if (memory) {
    container.memory = *std::move(memory);
    start_counting(path, container);
  } else {
    log_.warn("cgroup " + path, "container memory: " + printable(memory.error().message()));
  }
  return container;
}

void Index::start_counting(const std::string& path, Container& container) {
  if (!counts_ || !container.memory) return;
  container.counted = container.memory->id();
  if (!container.counted) return;
  const auto added = counts_->add(*container.counted, container.target, path);
  if (added) return;
  log_.warn("stalls of cgroup " + path, "container memory: " + added.error().message());
  container.counted.reset();
}

std::optional<memory_counts> Index::counts(const Container& container) const {
  if (!container.counted) return std::nullopt;
  return counts_->read(*container.counted);
}

std::map<Target, uint64_t> Index::oom_kills() const {
  return counts_ ? counts_->oom_kills() : std::map<Target, uint64_t>();
}

const std::optional<MemoryReading>& Index::memory(const std::string& key, TimePoint now, TimePoint::duration max_age) {
  Container& container = containers_.at(key);
  if (!container.memory || (container.reading && now - container.reading->at < max_age)) return container.reading;
  container.reading.reset();
  const auto usage = container.memory->read();
  if (!usage) {
    log_.warn("memory of cgroup " + key, "container memory: " + printable(usage.error().message()));
  } else if (*usage) {
    container.reading = MemoryReading{now, **usage, counts(container)};
  }
  return container.reading;
}

void Index::release(const std::string& key) {
  const auto found = containers_.find(key);
  if (found == containers_.end() || --found->second.processes > 0) return;
  if (found->second.counted) counts_->release(*found->second.counted);
  containers_.erase(found);
}

}  // namespace manometer::container
