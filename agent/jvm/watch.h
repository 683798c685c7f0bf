#pragma once

#include <memory>
#include <optional>

#include <boost/asio/io_context.hpp>

#include "agent/base/blocking_pool.h"
#include "agent/base/log.h"
#include "agent/base/refusals.h"
#include "agent/container/index.h"
#include "agent/container/name_watch.h"
#include "agent/jvm/discovery.h"
#include "agent/jvm/registry.h"
#include "agent/limits.h"
#include "agent/node/host_paths.h"
#include "agent/node/node_cgroups.h"
#include "agent/node/proc_fs.h"

namespace manometer::jvm {

/// All it takes to find the JVMs of a node and read them, on one loop.
class Watch {
 public:
  struct Options {
    node::HostPaths host;
    std::chrono::milliseconds sample_interval{1000};
    std::chrono::milliseconds scan_interval{10000};
    PressureOptions pressure = {};
    Limits limits = {};
  };

  /// An Error names the path that cannot be used. loop must outlive it.
  static Result<std::unique_ptr<Watch>> open(boost::asio::io_context& loop, const Options& options);

  void start();
  /// True once all there was at the start has been looked at, named and read, or refused.
  bool ready() { return ready_ = ready_ || (discovery_.scanned() && registry_.all_read() && !names_.looking()); }
  /// Ends the blocking pool; see BlockingPool::stop.
  bool stop() { return pool_.stop(); }

  const node::NodeCgroups& cgroups() const { return cgroups_; }
  const node::ProcFs& proc() const { return proc_; }
  const container::Index& containers() const { return containers_; }
  container::Index& containers() { return containers_; }
  const Registry& registry() const { return registry_; }
  Registry& registry() { return registry_; }
  const BlockingPool& pool() const { return pool_; }
  BlockingPool& pool() { return pool_; }
  const Discovery& discovery() const { return discovery_; }
  Discovery& discovery() { return discovery_; }
  LogOnce& log() { return log_; }
  const Refusals& refusals() const { return refusals_; }

 private:
  Watch(boost::asio::io_context& loop, const Options& options, node::ProcFs proc, node::NodeCgroups cgroups);

  LogOnce log_;
  LogOnce process_log_;  // of processes and cgroups, which must not use up what is meant for the rest
  Refusals refusals_{log_};
  BlockingPool pool_;
  node::ProcFs proc_;
  node::NodeCgroups cgroups_;
  container::Index containers_;
  container::NameWatch names_;
  Registry registry_;
  Discovery discovery_;
  bool ready_ = false;
};

/// Nanoseconds since boot in the unit of ProcessKey::start_ticks.
uint64_t to_ticks(uint64_t since_boot_ns);

}  // namespace manometer::jvm
