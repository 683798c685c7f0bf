#include "agent/probes/probes.h"

#include <algorithm>
#include <iterator>

namespace manometer::probes {

template <typename Probe, typename Open>
std::unique_ptr<Probe> Probes::open(Status status, const Options& options, Open open_probe) {
  Result<std::unique_ptr<Probe>> opened = Error("switched off (--bpf off)");
  if (options.enabled) opened = open_probe();
  status.attached = opened.ok();
  if (!opened) status.error = opened.error().message();
  status_.push_back(std::move(status));
  return opened ? *std::move(opened) : nullptr;
}

Probes::Probes(boost::asio::io_context& loop, const Options& options, ProcessProbe::OnEvent on_process) {
  const uint32_t pid_namespace = pid_namespace_of(options.proc_root);
  // Before the other: an OOM kill is counted before its process's end is told.
  memory_ = open<MemoryProbe>(
      {.name = "memory", .needs = "BPF and PERFMON", .without = "reclaim and OOM kills are not measured"}, options,
      [] { return MemoryProbe::open(); });
  process_ =
      open<ProcessProbe>({.name = "process", .needs = "BPF and PERFMON", .without = "new JVMs are found by the scan"},
                         options, [&] { return ProcessProbe::open(loop, pid_namespace, std::move(on_process)); });
  request_ = open<RequestProbe>(
      {.name = "request", .needs = "BPF, PERFMON and NET_ADMIN", .without = "requests are not measured"}, options, [&] {
        RequestProbe::Options request = options.request;
        request.pid_namespace = pid_namespace;
        request.targets = static_cast<uint32_t>(options.limits.jvms + options.limits.watched);
        request.connections = static_cast<uint32_t>(options.limits.connections);
        return RequestProbe::open(request);
      });
  gc_ = open<GcProbe>(
      {.name = "gc",
       .needs = "BPF, PERFMON and CHECKPOINT_RESTORE, before Linux 6.6 SYS_ADMIN too",
       .without =
           "GC pauses have no histogram, ZGC's stalls and JVMs without data no values, and its live set comes late"},
      options, [&] {
        const auto jvms = static_cast<uint32_t>(options.limits.jvms);
        return GcProbe::open(pid_namespace, options.request.bounds_ns, jvms);
      });
}

std::map<std::string_view, uint64_t> Probes::lost() const {
  return {{"memory_map_full", memory_ ? memory_->lost() : 0},
          {"process_ring_full", process_ ? process_->lost() : 0},
          {"connections_full", request_ ? request_->lost_connections() : 0},
          {"stalls_full", gc_ ? gc_->lost_waits() : 0},
          {"pauses_full", gc_ ? gc_->lost_pauses() : 0},
          {"pools_full", gc_ ? gc_->lost_pools() : 0}};
}

std::vector<bpf::ProgramStats> Probes::program_stats() const {
  std::vector<bpf::ProgramStats> all;
  const auto add = [&](const auto& probe) {
    if (probe) std::ranges::copy(bpf::program_stats(probe->object()), std::back_inserter(all));
  };
  add(memory_);
  add(process_);
  add(request_);
  add(gc_);
  return all;
}

}  // namespace manometer::probes
