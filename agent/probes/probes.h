#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "agent/bpf/program_stats.h"
#include "agent/limits.h"
#include "agent/probes/gc_probe.h"
#include "agent/probes/memory_probe.h"
#include "agent/probes/process_probe.h"
#include "agent/probes/request_probe.h"

namespace manometer::probes {

/// Whether one probe works, and if not, why.
struct Status {
  std::string_view name;
  std::string_view needs;    // capabilities
  std::string_view without;  // what it is like if the probe does not work
  bool attached = false;
  std::string error = {};
};

/// All probes of the agent. Each is loaded and attached on its own: where one fails the others work.
class Probes {
 public:
  struct Options {
    bool enabled = true;
    std::string proc_root;
    RequestProbe::Options request = {};
    Limits limits = {};
  };

  Probes(boost::asio::io_context& loop, const Options& options, ProcessProbe::OnEvent on_process);

  const std::vector<Status>& status() const { return status_; }
  /// nullptr if it does not work.
  MemoryProbe* memory() const { return memory_.get(); }
  RequestProbe* request() const { return request_.get(); }
  /// The same.
  const GcProbe* gc() const { return gc_.get(); }
  /// Events lost, by what lost them.
  std::map<std::string_view, uint64_t> lost() const;
  std::vector<bpf::ProgramStats> program_stats() const;

 private:
  template <typename Probe, typename Open>
  std::unique_ptr<Probe> open(Status status, const Options& options, Open open_probe);

  std::unique_ptr<MemoryProbe> memory_;
  std::unique_ptr<ProcessProbe> process_;
  std::unique_ptr<RequestProbe> request_;
  std::unique_ptr<GcProbe> gc_;
  std::vector<Status> status_;
};

}  // namespace manometer::probes
