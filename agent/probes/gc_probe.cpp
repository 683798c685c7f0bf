#include "agent/probes/gc_probe.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <span>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "agent/bpf/histogram.h"
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

std::string path_of(int file) {
  return "/proc/self/fd/" + std::to_string(file);
}

}  // namespace

struct GcProbe::Bpf {
  explicit Bpf(bpf::Skeleton<gc_bpf> opened) : skeleton(std::move(opened)) {}

  bpf::Skeleton<gc_bpf> skeleton;
};

GcProbe::GcProbe(std::unique_ptr<Bpf> bpf, bool at_once) : bpf_(std::move(bpf)), at_once_(at_once) {}
GcProbe::~GcProbe() = default;

Result<std::unique_ptr<GcProbe>> GcProbe::open(uint32_t pid_namespace, const std::vector<uint64_t>& bounds_ns,
                                               uint32_t jvms) {
  auto probe = open(pid_namespace, bounds_ns, jvms, true);
  if (probe) return probe;
  return open(pid_namespace, bounds_ns, jvms, false);
}

Result<std::unique_ptr<GcProbe>> GcProbe::open(uint32_t pid_namespace, const std::vector<uint64_t>& bounds_ns,
                                               uint32_t jvms, bool at_once) {
  auto opened = bpf::Skeleton<gc_bpf>::open();
  if (!opened) return std::move(opened).error();
  (*opened)->rodata->agent_pid_namespace = pid_namespace;
  const auto set = bpf::set_slot_bounds((*opened)->rodata->slot_bounds, bounds_ns);
  if (!set) return set.error();
  choose_programs((*opened)->obj, at_once);
  ::bpf_map__set_max_entries((*opened)->maps.gc_processes, jvms);
  ::bpf_map__set_max_entries((*opened)->maps.gc_pools, jvms);
  ::bpf_map__set_max_entries((*opened)->maps.gc_histograms, jvms * GC_MEAN_SERIES);
  const auto loaded = opened->load_and_attach();  // to nothing yet: they are for libraries
  if (!loaded) return loaded.error();
  std::unique_ptr<GcProbe> probe(new GcProbe(std::make_unique<Bpf>(*std::move(opened)), at_once));
  // What would not work on a library later does not work on ourselves now.
  const auto offset = own_offset(reinterpret_cast<uintptr_t>(&own_offset));
  if (!offset) return offset.error();
  LibjvmSites ours;
  ours.stall_begin = {*offset};
  const auto tried = probe->attach_at("/proc/self/exe", ours);
  if (!tried) return tried.error();
  return probe;
}

void GcProbe::choose_programs(bpf_object* object, bool at_once) {
  bpf_program* const any = ::bpf_object__find_program_by_name(object, "gc_any");
  if (at_once) bpf::UprobeLink::prepare(any);
  for (bpf_program* one = nullptr; (one = ::bpf_object__next_program(object, one)) != nullptr;)
    ::bpf_program__set_autoload(one, at_once == (one == any));
}

Result<void> GcProbe::watch(pid_t pid, const gc_words& words) const {
  forget(pid);
  gc_process fresh{};
  fresh.words = words;
  // What is kept of threads of a process before it, with the same pids, is none of this one.
  fresh.unblocks = static_cast<uint32_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  if (::bpf_map_update_elem(::bpf_map__fd(bpf_->skeleton->maps.gc_processes), &pid, &fresh, BPF_ANY) == 0) return {};
  return Error::from_errno("watch a JVM");
}

void GcProbe::set_words(pid_t pid, const gc_words& words) const {
  auto process = read(pid);
  if (!process) return;
  process->words = words;
  ::bpf_map_update_elem(::bpf_map__fd(bpf_->skeleton->maps.gc_processes), &pid, &*process, BPF_EXIST);
}

void GcProbe::forget(pid_t pid) const {
  const auto& maps = bpf_->skeleton->maps;
  ::bpf_map_delete_elem(::bpf_map__fd(maps.gc_processes), &pid);
  for (gc_histogram_key key{static_cast<uint32_t>(pid), 0}; key.index <= GC_SERIES; ++key.index)
    ::bpf_map_delete_elem(::bpf_map__fd(maps.gc_histograms), &key);
  forget_pools(pid);
}

Result<void> GcProbe::watch_pools(pid_t pid, const std::vector<gc_argument>& arguments) const {
  gc_pools fresh{};
  std::ranges::copy(std::span(arguments).first(std::min<size_t>(arguments.size(), GC_POOL_ARGUMENTS)), fresh.arguments);
  if (::bpf_map_update_elem(::bpf_map__fd(bpf_->skeleton->maps.gc_pools), &pid, &fresh, BPF_ANY) == 0) return {};
  return Error::from_errno("watch the memory pools of a JVM");
}

void GcProbe::forget_pools(pid_t pid) const {
  ::bpf_map_delete_elem(::bpf_map__fd(bpf_->skeleton->maps.gc_pools), &pid);
}

void GcProbe::forget_waits(pid_t pid) const {
  const int waits = ::bpf_map__fd(bpf_->skeleton->maps.gc_waits);
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

std::optional<gc_pools> GcProbe::read_pools(pid_t pid) const {
  gc_pools pools{};
  if (::bpf_map_lookup_elem(::bpf_map__fd(bpf_->skeleton->maps.gc_pools), &pid, &pools) != 0) return std::nullopt;
  return pools;
}

std::vector<GcProbe::Pauses> GcProbe::read_pauses(pid_t pid, const gc_process& process) const {
  std::vector<Pauses> all;
  const int histograms = ::bpf_map__fd(bpf_->skeleton->maps.gc_histograms);
  for (gc_histogram_key key{static_cast<uint32_t>(pid), 0}; key.index <= GC_SERIES; ++key.index) {
    Pauses pauses;
    if (key.index < GC_SERIES) pauses.series = process.series[key.index];
    if (key.index < GC_SERIES && pauses.series == 0) break;  // they are taken in order
    if (::bpf_map_lookup_elem(histograms, &key, &pauses.histogram) == 0) all.push_back(pauses);
  }
  return all;
}

Result<GcProbe::Attachment> GcProbe::attach(int file, const LibjvmSites& sites) const {
  return attach_at(path_of(file), sites);
}

Result<GcProbe::Attachment> GcProbe::attach_at(const std::string& path, const LibjvmSites& sites) const {
  const auto& programs = bpf_->skeleton->progs;
  // Ends first: what began without its end in sight would seem to last until another.
  std::vector<bpf::UprobeLink::Place> places;
  const auto add = [&](gc_place place, const bpf_program* program, const std::vector<uint64_t>& offsets) {
    for (const uint64_t offset : offsets) places.push_back({offset, place, program});
  };
  add(GC_STALL_END, programs.gc_stall_end, sites.stall_end);
  add(GC_STALL_NONE, programs.gc_stall_none, sites.no_stall);
  add(GC_STALL_BEGIN, programs.gc_stall_begin, sites.stall_begin);
  add(GC_STALL_BEGIN, programs.gc_stall_begin, sites.may_stall);
  add(GC_ABREAST, programs.gc_abreast, sites.abreast);
  add(GC_UNBLOCK, programs.gc_unblock, sites.unblock);
  add(GC_BLOCK, programs.gc_block, sites.block);
  add(GC_BLOCK_IF, programs.gc_block_if, sites.block_if);
  add(GC_SAFEPOINT_END, programs.gc_safepoint_end, sites.safepoint_end);
  add(GC_COLLECTS, programs.gc_collects, sites.collects);
  add(GC_SAFEPOINT_BEGIN, programs.gc_safepoint_begin, sites.safepoint_begin);
  return attach_places(path, places);
}

Result<GcProbe::Attachment> GcProbe::attach_pools(int file, const LibjvmSites& sites) const {
  std::vector<bpf::UprobeLink::Place> places;
  std::ranges::transform(sites.pool_ends, std::back_inserter(places), [&](uint64_t offset) {
    return bpf::UprobeLink::Place{offset, GC_POOL_END, bpf_->skeleton->progs.gc_pool_end};
  });
  return attach_places(path_of(file), places);
}

Result<GcProbe::Attachment> GcProbe::attach_places(const std::string& path,
                                                   const std::vector<bpf::UprobeLink::Place>& places) const {
  return at_once_ ? bpf::UprobeLink::attach_all(bpf_->skeleton->progs.gc_any, path, places)
                  : bpf::UprobeLink::attach_each(path, places);
}

uint64_t GcProbe::lost_waits() const {
  return bpf_->skeleton->bss->gc_waits_lost;
}
uint64_t GcProbe::lost_pauses() const {
  return bpf_->skeleton->bss->gc_pauses_lost;
}
uint64_t GcProbe::lost_pools() const {
  return bpf_->skeleton->bss->gc_pools_lost;
}
const bpf_object* GcProbe::object() const {
  return bpf_->skeleton->obj;
}

}  // namespace manometer::probes
