#include "agent/probes/gc_probe.h"

#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "agent/bpf/skeleton.h"
#include "agent/node/proc_fs.h"
#include "gc.skel.h"

namespace manometer::probes {
namespace {

/// At most as many as the map can have; some may come or go meanwhile.
std::vector<uint64_t> keys_of(int waits) {
  std::vector<uint64_t> keys;
  const uint64_t* last = nullptr;
  uint64_t next = 0;
  while (keys.size() < GC_THREADS && ::bpf_map_get_next_key(waits, last, &next) == 0) {
    keys.push_back(next);
    last = &keys.back();
  }
  return keys;
}

/// Where the function's code is in our own file.
Result<uint64_t> own_offset(uintptr_t function) {
  const auto proc = node::ProcFs::open("/proc");
  if (!proc) return proc.error();
  const auto self = proc->process(::getpid());
  if (!self) return self.error();
  if (!*self) return Error("/proc does not show us");
  const auto maps = (*self)->maps();
  if (!maps) return maps.error();
  for (const node::Mapping& mapping : maps->value_or(std::vector<node::Mapping>())) {
    if (function >= mapping.start && function < mapping.end) return function - mapping.start + mapping.offset;
  }
  return Error("our own code is not mapped");
}

}  // namespace

struct GcProbe::Bpf {
  explicit Bpf(bpf::Skeleton<gc_bpf> opened) : skeleton(std::move(opened)) {}

  bpf::Skeleton<gc_bpf> skeleton;
};

void GcProbe::Unlink::operator()(bpf_link* link) const {
  ::bpf_link__destroy(link);
}

GcProbe::GcProbe(std::unique_ptr<Bpf> bpf) : bpf_(std::move(bpf)) {}
GcProbe::~GcProbe() = default;

Result<std::unique_ptr<GcProbe>> GcProbe::open(uint32_t pid_namespace) {
  auto opened = bpf::Skeleton<gc_bpf>::open();
  if (!opened) return std::move(opened).error();
  (*opened)->rodata->agent_pid_namespace = pid_namespace;
  const auto loaded = opened->load_and_attach();  // to nothing yet: they are for libraries
  if (!loaded) return loaded.error();
  std::unique_ptr<GcProbe> probe(new GcProbe(std::make_unique<Bpf>(*std::move(opened))));
  // What would not work on a library later does not work on ourselves now.
  const auto offset = own_offset(reinterpret_cast<uintptr_t>(&own_offset));
  if (!offset) return offset.error();
  const auto tried = probe->attach_at("/proc/self/exe", {{*offset}, {}});
  if (!tried) return tried.error();
  return probe;
}

Result<void> GcProbe::watch(pid_t pid) const {
  const gc_process none{};
  if (::bpf_map_update_elem(::bpf_map__fd(bpf_->skeleton->maps.gc_processes), &pid, &none, BPF_ANY) == 0) return {};
  return Error::from_errno("watch a JVM");
}

void GcProbe::forget(pid_t pid) const {
  const auto& maps = bpf_->skeleton->maps;
  ::bpf_map_delete_elem(::bpf_map__fd(maps.gc_processes), &pid);
  // Threads that were killed while they waited would keep their places, and lend their beginning to a later wait.
  const int waits = ::bpf_map__fd(maps.gc_waits);
  for (const uint64_t thread : keys_of(waits)) {
    gc_wait wait{};
    if (::bpf_map_lookup_elem(waits, &thread, &wait) == 0 && wait.pid == static_cast<uint32_t>(pid))
      ::bpf_map_delete_elem(waits, &thread);
  }
}

std::optional<gc_process> GcProbe::read(pid_t pid) const {
  gc_process process{};
  if (::bpf_map_lookup_elem(::bpf_map__fd(bpf_->skeleton->maps.gc_processes), &pid, &process) != 0) return std::nullopt;
  return process;
}

Result<GcProbe::Attachment> GcProbe::attach(int file, const LibjvmSites& sites) const {
  return attach_at("/proc/self/fd/" + std::to_string(file), sites);
}

Result<GcProbe::Attachment> GcProbe::attach_at(const std::string& path, const LibjvmSites& sites) const {
  const auto& programs = bpf_->skeleton->progs;
  Attachment attachment;
  // Ends first: what began without its end in sight would seem to last until another.
  const auto add = [&](const bpf_program* program, const std::vector<uint64_t>& offsets) {
    for (const uint64_t offset : offsets) {
      attachment.emplace_back(::bpf_program__attach_uprobe(program, false, -1, path.c_str(), offset));
      if (!attachment.back()) return false;
    }
    return true;
  };
  if (add(programs.gc_stall_end, sites.stall_end) && add(programs.gc_stall_begin, sites.stall_begin)) return attachment;
  return Error::from_errno("attach to " + path);
}

uint64_t GcProbe::lost() const {
  return bpf_->skeleton->bss->gc_waits_lost;
}
const bpf_object* GcProbe::object() const {
  return bpf_->skeleton->obj;
}

}  // namespace manometer::probes
