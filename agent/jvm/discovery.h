#pragma once

#include <map>
#include <optional>
#include <set>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/base/blocking_pool.h"
#include "agent/base/log.h"
#include "agent/base/types.h"
#include "agent/jvm/inspect.h"
#include "agent/jvm/look_timer.h"
#include "agent/jvm/registry.h"
#include "agent/node/proc_fs.h"

namespace manometer::jvm {

/// Finds JVMs: all there are at start and every scan interval, and a new one by looking at its process again and again
/// from its exec on, until it has libjvm. Lives on the loop.
class Discovery {
 public:
  /// All of them must outlive it.
  Discovery(boost::asio::io_context& loop, BlockingPool& pool, const node::ProcFs& proc, Registry& registry,
            LogOnce& log, std::chrono::milliseconds scan_interval);

  /// Scans now and then every scan interval.
  void start();

  void on_exec(pid_t pid);
  void on_exit(const ProcessKey& key);

  /// True once the first scan has looked at every process, or did not come back from some before the next.
  bool scanned() const { return scanned_; }
  /// Processes we may not look into, found by the last scan.
  size_t denied() const { return denied_; }
  /// Starts of processes left to the scan, because too many came at once.
  uint64_t left_to_scan() const { return left_to_scan_; }

 private:
  /// A process to look at again.
  struct Candidate {
    TimePoint since;
    TimePoint due;
  };

  void scan();
  void drop_ended();
  void inspected_for(uint64_t scan);
  void end_scan();
  void look_at_due();
  void look_at(pid_t pid);
  void inspect(pid_t pid, uint64_t scan);
  void take(pid_t pid, Inspection inspection);
  void look_again(pid_t pid);
  std::optional<bool> may_be_jvm(pid_t pid) const;

  boost::asio::steady_timer scan_timer_;
  LookTimer look_timer_;
  BlockingPool& pool_;
  const node::ProcFs& proc_;
  Registry& registry_;
  LogOnce& log_;
  std::chrono::milliseconds scan_interval_;
  std::map<pid_t, Candidate> candidates_;
  std::set<pid_t> inspecting_;  // one look at a time: each could hang
  uint64_t scan_ = 0;           // number of the last scan
  size_t in_scan_ = 0;          // inspections it waits for
  bool scanned_ = false;        // a scan has ended
  size_t denied_ = 0;
  size_t denied_in_scan_ = 0;
  uint64_t left_to_scan_ = 0;
};

}  // namespace manometer::jvm
