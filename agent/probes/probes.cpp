#include "agent/probes/probes.h"

namespace manometer::probes {

Probes::Probes(boost::asio::io_context& loop, const Options& options, ProcessProbe::OnEvent on_process) {
  Status process{.name = "process", .error = {}};
  if (!options.enabled) {
    process.error = "switched off (--bpf off)";
  } else {
    auto opened = ProcessProbe::open(loop, pid_namespace_of(options.proc_root), std::move(on_process));
    process.attached = opened.ok();
    if (opened) {
      process_ = *std::move(opened);
    } else {
      process.error = opened.error().message();
    }
  }
  status_.push_back(std::move(process));
}

std::map<std::string_view, uint64_t> Probes::lost() const {
  return {{"process_ring_full", process_ ? process_->lost() : 0}};
}

std::vector<bpf::ProgramStats> Probes::program_stats() const {
  return process_ ? bpf::program_stats(process_->object()) : std::vector<bpf::ProgramStats>();
}

}  // namespace manometer::probes
