#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/base/blocking_pool.h"
#include "agent/base/log.h"
#include "agent/base/types.h"
#include "agent/base/unique_fd.h"
#include "agent/container/target.h"
#include "agent/metrics/buckets.h"
#include "agent/node/proc_fs.h"
#include "agent/probes/request_probe.h"

namespace manometer::requests {

/// The processes whose requests are measured: their counts in the kernel, the links on their cgroups, the marks on
/// their sockets. Lives on the loop.
class Watch {
 public:
  struct Process {
    container::Target target;
    std::string cgroup;  // in the cgroup2 tree
    node::Process process;
    probes::RequestProbe::Target counts;
  };

  /// What the probe was opened with.
  struct Options {
    metrics::Buckets buckets;
    std::vector<std::string> routes;
  };

  /// cgroups: the root of the cgroup2 tree. All of them must outlive it.
  Watch(BlockingPool& pool, probes::RequestProbe& probe, UniqueFd cgroups, LogOnce& log, Options options);

  /// Measures a process from now on. Nothing happens to one that is watched already.
  void add(const ProcessKey& key, container::Target target, const std::vector<node::CgroupLine>& cgroup,
           node::Process process);
  void remove(const ProcessKey& key);
  /// Marks what processes listen on since they were added, where the kernel does not do so itself.
  void look_for_listeners();

  const std::map<ProcessKey, Process>& processes() const { return processes_; }
  const probes::RequestProbe& probe() const { return probe_; }
  const metrics::Buckets& buckets() const { return options_.buckets; }
  const std::vector<std::string>& routes() const { return options_.routes; }
  /// Cgroups whose traffic cannot be seen.
  size_t unattached() const { return unattached_.size(); }
  /// True while sockets of processes that were added are still to be marked.
  bool marking() const { return marking_ > 0; }

 private:
  void attach_links();
  std::optional<probes::RequestProbe::Attachment> attach(const std::string& path);
  void mark_sockets(const ProcessKey& key, const Process& process);
  void mark_shared(const std::string& cgroup);

  BlockingPool& pool_;
  probes::RequestProbe& probe_;
  UniqueFd cgroups_;
  LogOnce& log_;
  Options options_;
  std::map<ProcessKey, Process> processes_;
  std::map<std::string, probes::RequestProbe::Attachment> links_;  // by path
  std::set<std::string> unattached_;                               // by path
  size_t marking_ = 0;
};

}  // namespace manometer::requests
