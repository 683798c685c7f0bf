#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/base/blocking_pool.h"
#include "agent/base/log.h"
#include "agent/base/types.h"
#include "agent/node/proc_fs.h"
#include "agent/requests/match_process.h"
#include "agent/requests/watch_pattern.h"

namespace manometer::requests {

/// Finds the processes that a pattern names: all there are at start and every scan interval, and a new one when its
/// program starts. Without patterns it does nothing. Lives on the loop.
class ProcessFinder {
 public:
  struct Options {
    std::vector<WatchPattern> patterns;
    std::chrono::milliseconds scan_interval{10000};
  };

  struct Callbacks {
    /// Also for one found before that is in another cgroup now. False: it was refused, to be tried again.
    std::function<bool(FoundProcess)> on_found;
    /// It ended, or no pattern names it any more.
    std::function<void(const ProcessKey&)> on_gone;
  };

  /// All of them must outlive it.
  ProcessFinder(boost::asio::io_context& loop, BlockingPool& pool, const node::ProcFs& proc, LogOnce& log,
                Options options, Callbacks callbacks);

  /// Scans now and then every scan interval.
  void start();

  void on_exec(pid_t pid);
  void on_exit(const ProcessKey& key);

  /// True once the first scan has looked at every process.
  bool scanned() const { return scanned_; }
  /// Starts and ends of processes left to the scan, because too many came at once.
  uint64_t left_to_scan() const { return left_to_scan_; }

 private:
  /// What to look at.
  struct Request {
    bool all = false;
    std::set<pid_t> pids;
  };

  /// What there was to see.
  struct Answer {
    Request request;
    std::vector<FoundProcess> found;
    std::set<pid_t> unknown;     // what could not be read
    std::optional<Error> error;  // the first of the reasons
  };

  struct Known {
    std::vector<node::CgroupLine> cgroup;
    bool is_taken = false;
  };

  static Answer look(const node::ProcFs& proc, const std::vector<WatchPattern>& patterns, Request request);
  void look_at_due();
  void take(Answer answer);
  void forget_missing(const Answer& answer);

  boost::asio::steady_timer scan_timer_;
  BlockingPool& pool_;
  const node::ProcFs& proc_;
  LogOnce& log_;
  Options options_;
  Callbacks callbacks_;
  std::map<ProcessKey, Known> known_;
  Request due_;
  bool looking_ = false;         // one look at a time
  std::set<ProcessKey> exited_;  // since the look began
  bool scanned_ = false;
  uint64_t left_to_scan_ = 0;
};

}  // namespace manometer::requests
