#include "agent/probes/memory_probe.h"

#include <bpf/bpf.h>

#include "agent/bpf/skeleton.h"
#include "memory.skel.h"

namespace manometer::probes {

struct MemoryProbe::Bpf {
  bpf::Skeleton<memory_bpf> skeleton;
};

MemoryProbe::MemoryProbe(std::unique_ptr<Bpf> bpf) : bpf_(std::move(bpf)) {}
MemoryProbe::~MemoryProbe() = default;

Result<std::unique_ptr<MemoryProbe>> MemoryProbe::open() {
  auto skeleton = bpf::Skeleton<memory_bpf>::open();
  if (!skeleton) return std::move(skeleton).error();
  const auto attached = skeleton->load_and_attach();
  if (!attached) return attached.error();
  return std::unique_ptr<MemoryProbe>(new MemoryProbe(std::make_unique<Bpf>(*std::move(skeleton))));
}

int MemoryProbe::cgroups() const {
  return ::bpf_map__fd(bpf_->skeleton->maps.memory_cgroups);
}

Result<void> MemoryProbe::add(uint64_t cgroup) {
  constexpr memory_counts kNone{};
  if (::bpf_map_update_elem(cgroups(), &cgroup, &kNone, BPF_ANY) == 0) return {};
  return Error::from_errno("add a cgroup");
}

void MemoryProbe::remove(uint64_t cgroup) {
  ::bpf_map_delete_elem(cgroups(), &cgroup);
}

std::optional<memory_counts> MemoryProbe::read(uint64_t cgroup) const {
  memory_counts counts{};
  if (::bpf_map_lookup_elem(cgroups(), &cgroup, &counts) != 0) return std::nullopt;
  return counts;
}

uint64_t MemoryProbe::lost() const {
  return bpf_->skeleton->bss->memory_events_lost;
}
const bpf_object* MemoryProbe::object() const {
  return bpf_->skeleton->obj;
}

}  // namespace manometer::probes
