#pragma once

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/base/blocking_pool.h"
#include "agent/base/log.h"
#include "agent/base/refusals.h"
#include "agent/base/types.h"
#include "agent/base/unique_fd.h"
#include "agent/bpf/ring_reader.h"
#include "agent/container/index.h"
#include "agent/container/target.h"
#include "agent/limits.h"
#include "agent/node/proc_fs.h"
#include "agent/probes/request_probe.h"
#include "agent/requests/match_process.h"

namespace manometer::requests {

/// The processes whose requests are measured: their counts in the kernel, the links on their cgroups, the marks on
/// their sockets. Lives on the loop.
class Watch {
 public:
  /// Who asks for a process to be watched. It is as long as one of them does.
  enum class Reason { kIsJvm, kMatchesPattern };

  struct Process {
    std::string container;  // key in container::Index
    std::string pid;        // the label
    std::set<Reason> reasons;
    std::string cgroup;  // in the cgroup2 tree
    node::Process process;
    probes::RequestProbe::Target counts;
    bool is_new = true;  // since the last look for sockets
  };

  /// What the probe was opened with.
  struct Options {
    std::vector<std::string> routes;
    std::chrono::milliseconds scan_interval{10000};
    size_t most_matching = Limits().watched;
  };

  /// cgroups: the root of the cgroup2 tree. All of them must outlive it.
  Watch(boost::asio::io_context& loop, BlockingPool& pool, container::Index& containers, probes::RequestProbe& probe,
        UniqueFd cgroups, LogOnce& log, Options options);

  /// Measures a process from now on. pid: the label of its series, if it has others; else it is made here. False: it
  /// is refused, as too many are measured.
  bool add(Reason reason, const FoundProcess& found, std::optional<std::string> pid = std::nullopt);
  void remove(Reason reason, const ProcessKey& key);

  const std::map<ProcessKey, Process>& processes() const { return processes_; }
  /// Who it is in its series now.
  container::Target target(const Process& process) const { return containers_.target(process.container, process.pid); }
  const probes::RequestProbe& probe() const { return probe_; }
  const std::vector<std::string>& routes() const { return options_.routes; }
  const Refusals& refusals() const { return refusals_; }
  /// What had become of requests of processes that are not watched any more, if not a duration.
  struct Ended {
    std::array<uint64_t, REQUEST_UNMATCHED_REASONS> unmatched{};
    uint64_t in_flight = 0;  // at the end
  };
  const Ended& ended() const { return ended_; }
  /// Cgroups whose traffic cannot be seen.
  size_t unattached() const { return unattached_.size(); }
  /// True while sockets of processes that were added are still to be marked.
  bool marking() const { return marking_ > 0; }

 private:
  bool admit(Reason reason, const FoundProcess& found);
  std::string make_pid(const FoundProcess& found, const std::string& container) const;
  void end(const Process& process);
  void attach_links();
  std::optional<probes::RequestProbe::Attachment> attach(const std::string& path);
  void mark_sockets(const ProcessKey& key, const Process& process);
  void mark_shared(const std::string& cgroup);
  void on_listen(pid_t pid);
  void look_again();

  boost::asio::steady_timer timer_;
  BlockingPool& pool_;
  container::Index& containers_;
  probes::RequestProbe& probe_;
  UniqueFd cgroups_;
  LogOnce& log_;
  Refusals refusals_{log_};
  Options options_;
  std::map<ProcessKey, Process> processes_;
  std::map<std::string, probes::RequestProbe::Attachment> links_;  // by path
  std::set<std::string> unattached_;                               // by path
  size_t marking_ = 0;
  Ended ended_;
  std::unique_ptr<bpf::RingReader> listeners_;  // tells of new ones where the kernel does not mark them itself
};

}  // namespace manometer::requests
