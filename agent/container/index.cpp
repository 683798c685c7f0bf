#include "agent/container/index.h"

#include <algorithm>

#include "agent/container/cgroup_name.h"

namespace manometer::container {
namespace {

/// By the cgroup's own name.
Target unnamed_target(const CgroupName& cgroup) {
  Target target;
  if (cgroup.label) target.container = metrics::label_value(*cgroup.label);
  return target;
}

/// True if better names can come.
bool is_unnamed(const Container& container) {
  return container.cgroup.pod_uid && !container.names_certain;
}

struct Cgroups {
  CgroupName cgroup;    // of the memory controller
  std::string unified;  // path in the cgroup2 tree
};

Cgroups cgroups_of(const std::vector<node::CgroupLine>& lines) {
  std::string memory;
  std::string unified;
  for (const node::CgroupLine& line : lines) {
    if (line.has("memory")) memory = line.path;
    if (line.is_unified()) unified = line.path;
  }
  unified = parse_cgroup_name(unified).path;
  return {parse_cgroup_name(memory.empty() ? unified : memory), unified};
}

}  // namespace

bool Index::has_room_for(const std::vector<node::CgroupLine>& lines) const {
  return containers_.size() < most_ || containers_.contains(cgroups_of(lines).cgroup.path);
}

std::string Index::acquire(const std::vector<node::CgroupLine>& lines, std::optional<node::Process> process) {
  auto [cgroup, unified] = cgroups_of(lines);
  std::string key = cgroup.path;
  auto found = containers_.find(key);
  if (found == containers_.end()) {
    found = containers_.emplace(key, open(std::move(cgroup), unified)).first;
  } else {
    renew(found->second, unified);
  }
  ++found->second.processes;
  if (is_unnamed(found->second)) {
    if (process) found->second.process = std::move(process);
    on_unnamed();
  }
  return key;
}

/// wanted, or with the cgroup's whole path if another container has that name, or one that is gone had it: a series
/// must be about one container only. taker: who asks, if it is known already.
Target Index::make_unique(Target wanted, const CgroupName& cgroup, const Container* taker) const {
  if (!wanted.container) return wanted;
  bool taken = std::ranges::any_of(
      containers_, [&](const auto& other) { return &other.second != taker && other.second.target == wanted; });
  if (counts_ && taker == nullptr) taken = taken || counts_->is_taken(wanted, cgroup.path);
  if (taken) wanted.container = metrics::label_value(cgroup.path);
  return wanted;
}

Target Index::target(const std::string& key, const std::string& pid) const {
  Target target = containers_.at(key).target;
  target.pid = pid;
  return target;
}

std::vector<Unnamed> Index::unnamed() const {
  std::vector<Unnamed> out;
  for (const auto& [key, container] : containers_) {
    if (!is_unnamed(container)) continue;
    out.push_back({key, *container.cgroup.pod_uid, container.cgroup.container_id, container.process});
  }
  return out;
}

void Index::set_names(const std::string& key, const PodNames& names) {
  const auto found = containers_.find(key);
  if (found == containers_.end()) return;
  Container& container = found->second;
  // Its process may have ended since, or lost the mount: a name stays.
  if (container.target.pod && !names.container) return;
  Target target = unnamed_target(container.cgroup);
  target.namespace_name = metrics::label_value(names.namespace_name);
  target.pod = metrics::label_value(names.pod);
  if (names.container) {
    Target named = target;
    named.container = metrics::label_value(*names.container);
    if (free_name(container, named, names.is_certain)) target = std::move(named);
  }
  container.names_certain = names.is_certain;
  if (names.is_certain) container.process.reset();
  container.target = make_unique(std::move(target), container.cgroup, &container);
  if (container.counted) counts_->rename(*container.counted, container.target);
}

/// True if no other container has that name, or has to give it up: only a link takes a name from another, such as one
/// whose end is not known yet when it is already started again. What was counted under the name stays there. Who has
/// the same pod and id, in a cgroup elsewhere, takes nothing: such a path can be made outside of pods.
bool Index::free_name(const Container& taker, const Target& named, bool is_certain) {
  for (auto& [key, other] : containers_) {
    if (&other == &taker || other.target != named) continue;
    const bool is_same = other.names_certain && other.cgroup.container_id == taker.cgroup.container_id;
    if (!is_certain || is_same) return false;
    Target given_up = named;
    given_up.container = unnamed_target(other.cgroup).container;
    other.target = make_unique(std::move(given_up), other.cgroup, &other);
  }
  return true;
}

Container Index::open(CgroupName cgroup, const std::string& unified_path) {
  Container container;
  container.target = make_unique(unnamed_target(cgroup), cgroup, nullptr);
  container.cgroup = std::move(cgroup);
  const std::string& path = container.cgroup.path;
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

/// Takes a cgroup that was made anew under the path, which happens before we know that all of the old one have ended.
void Index::renew(Container& container, const std::string& unified_path) {
  if (!mount_) return;
  auto memory = node::MemoryCgroup::open(*mount_, container.cgroup.path, unified_path);
  const bool is_there = memory && *memory;
  if (!is_there || (container.memory && container.memory->is_same(**memory))) return;
  if (container.counted) counts_->release(*container.counted);
  container.counted.reset();
  container.reading.reset();
  container.memory = *std::move(memory);
  start_counting(container.cgroup.path, container);
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
  on_unnamed();  // a name may be free now
}

}  // namespace manometer::container
