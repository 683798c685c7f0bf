#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "agent/bpf/program_stats.h"
#include "agent/probes/process_probe.h"

namespace manometer::probes {

/// Whether one probe works, and if not, why.
struct Status {
  std::string_view name;
  bool attached = false;
  std::string error;
};

/// All probes of the agent. Each is loaded and attached on its own: where one fails the others work.
class Probes {
 public:
  struct Options {
    bool enabled = true;
    std::string proc_root;
  };

  Probes(boost::asio::io_context& loop, const Options& options, ProcessProbe::OnEvent on_process);

  const std::vector<Status>& status() const { return status_; }
  /// Events lost, by what lost them.
  std::map<std::string_view, uint64_t> lost() const;
  std::vector<bpf::ProgramStats> program_stats() const;

 private:
  std::unique_ptr<ProcessProbe> process_;
  std::vector<Status> status_;
};

}  // namespace manometer::probes
