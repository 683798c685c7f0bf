#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/base/blocking_pool.h"
#include "agent/base/log.h"
#include "agent/base/refusals.h"
#include "agent/base/types.h"
#include "agent/container/index.h"
#include "agent/jvm/inspect.h"
#include "agent/jvm/jvm.h"
#include "agent/jvm/look_timer.h"
#include "agent/limits.h"
#include "bpf/gc.h"

namespace manometer::jvm {

/// Every JVM on the node, and the sampling of them. Lives on the loop.
class Registry {
 public:
  struct Options {
    std::chrono::milliseconds sample_interval{1000};
    /// When the agent began, in the ticks of ProcessKey: what a younger JVM has counted, we have seen from its start.
    uint64_t started_ticks = 0;
    PressureOptions pressure = {};
    size_t most = Limits().jvms;
  };

  /// All of them must outlive the registry.
  Registry(boost::asio::io_context& loop, BlockingPool& pool, container::Index& containers, LogOnce& log,
           Refusals& refusals, Options options);

  /// Starts the sampling.
  void start();

  /// Adds the JVM, or takes what was found now for what was known of it. A new one is refused if there are too many.
  void found(FoundJvm jvm);
  /// Forgets the process if it is one of ours; with a pid alone, whichever has it.
  void gone(const ProcessKey& key);
  void gone(pid_t pid);

  /// Counts a read that failed, and logs each process's once.
  void count(pid_t pid, const Refusal& refusal);

  /// Called with each JVM before it is first read, and when it is forgotten.
  std::function<void(const FoundJvm&, const Jvm&)> on_found = [](const auto&, const auto&) {};
  /// Called when it is clear what there is to read: identity() is nullptr if the JVM keeps no performance data.
  std::function<void(const ProcessKey&, const PerfReader&)> on_looked_at = [](const auto&, const auto&) {};
  std::function<void(const ProcessKey&)> on_gone = [](const auto&) {};
  /// Called with the pid of a JVM whose data went away, to look what became of it.
  std::function<void(pid_t)> on_lost;

  /// What the kernel saw that collections of a JVM leave.
  std::function<std::optional<PoolReading>(const ProcessKey&)> read_pools = [](const auto&) { return std::nullopt; };

  /// What is known of waits for memory in a JVM.
  std::function<std::optional<gc_process>(const ProcessKey&)> read_stalls = [](const auto&) { return std::nullopt; };

  const std::map<ProcessKey, Jvm>& jvms() const { return jvms_; }
  /// Who it is in its series now.
  container::Target target(const Jvm& jvm) const { return containers_.target(jvm.container, jvm.pid); }
  bool has(pid_t pid) const { return find(pid) != jvms_.end(); }
  /// True if it is one of ours and has data to read, so that it needs no new look.
  bool knows(pid_t pid) const;
  /// How many more it would take.
  size_t room() const { return options_.most - std::min(options_.most, jvms_.size()); }
  /// Those that were not taken.
  Refusals& refusals() { return refusals_; }
  /// Reads that failed, by reason, since the start.
  const std::map<Failure, uint64_t>& failures() const { return failures_; }
  /// True once every JVM known was read or refused.
  bool all_read() const;

 private:
  std::map<ProcessKey, Jvm>::const_iterator find(pid_t pid) const;
  bool admit(const FoundJvm& jvm);
  std::string make_pid(const FoundJvm& jvm, const std::string& container) const;
  void read_all();
  void read_starting();
  void read(const ProcessKey& key, Jvm& jvm);
  void done(const ProcessKey& key, uint64_t reader_number, PerfReader reader, PerfReader::Reading reading);
  void lose(const ProcessKey& key, Jvm& jvm);
  void take(const ProcessKey& key, Jvm& jvm, PerfSample sample);
  void assess_pressure(const ProcessKey& key, Jvm& jvm);
  void refuse(const ProcessKey& key, Jvm& jvm, Refusal refusal);

  boost::asio::steady_timer sample_timer_;
  LookTimer starting_timer_;
  BlockingPool& pool_;
  container::Index& containers_;
  LogOnce& log_;
  Refusals& refusals_;
  Options options_;
  TimePoint started_at_;
  std::map<ProcessKey, Jvm> jvms_;
  uint64_t readers_ = 0;
  std::map<Failure, uint64_t> failures_;
};

}  // namespace manometer::jvm
