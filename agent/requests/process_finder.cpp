#include "agent/requests/process_finder.h"

#include <string>
#include <utility>

namespace manometer::requests {
namespace {

// A look takes milliseconds; more events than these come in no such time, but perhaps while it hangs.
constexpr size_t kMaxWaiting = 10'000;

}  // namespace

ProcessFinder::ProcessFinder(boost::asio::io_context& loop, BlockingPool& pool, const node::ProcFs& proc, LogOnce& log,
                             Options options, Callbacks callbacks)
    : scan_timer_(loop),
      pool_(pool),
      proc_(proc),
      log_(log),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      scanned_(options_.patterns.empty()) {}

void ProcessFinder::start() {
  if (options_.patterns.empty()) return;
  due_.all = true;
  look_at_due();
  scan_timer_.expires_after(options_.scan_interval);
  scan_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) start();
  });
}

void ProcessFinder::on_exec(pid_t pid) {
  if (options_.patterns.empty()) return;
  if (due_.pids.size() < kMaxWaiting) {
    due_.pids.insert(pid);
  } else {
    ++left_to_scan_;
  }
  look_at_due();
}

void ProcessFinder::on_exit(const ProcessKey& key) {
  if (options_.patterns.empty()) return;
  if (looking_ && exited_.size() < kMaxWaiting) {
    exited_.insert(key);
  } else if (looking_) {
    ++left_to_scan_;
  }
  if (known_.erase(key) > 0) callbacks_.on_gone(key);
}

void ProcessFinder::look_at_due() {
  if (looking_ || (!due_.all && due_.pids.empty())) return;
  looking_ = true;
  pool_.run([&proc = proc_, patterns = options_.patterns,
             due = std::exchange(due_, {})]() mutable { return look(proc, patterns, std::move(due)); },
            [this](Answer answer) {
              looking_ = false;
              take(std::move(answer));
              exited_.clear();
              look_at_due();
            });
}

/// Runs on the blocking pool.
ProcessFinder::Answer ProcessFinder::look(const node::ProcFs& proc, const std::vector<WatchPattern>& patterns,
                                          Request request) {
  Answer answer;
  if (request.all) {
    auto pids = proc.pids();
    if (pids) {
      // None that is missing from the list was started later: its start would be due again.
      request.pids.insert(pids->begin(), pids->end());
    } else {
      request.all = false;
      answer.error = pids.error();
    }
  }
  for (const pid_t pid : request.pids) {
    auto found = match_process(proc, pid, patterns);
    if (!found) {
      answer.unknown.insert(pid);
      if (!answer.error) answer.error = std::move(found).error().with_context("process " + std::to_string(pid));
    } else if (*found) {
      answer.found.push_back(**std::move(found));
    }
  }
  answer.request = std::move(request);
  return answer;
}

void ProcessFinder::take(Answer answer) {
  if (answer.error) {
    const std::string cause = "processes to watch " + std::to_string(answer.error->number());
    log_.warn(cause, "look for processes to watch: " + answer.error->message());
  }
  forget_missing(answer);
  for (FoundProcess& found : answer.found) {
    if (exited_.contains(found.key)) continue;
    Known& known = known_[found.key];
    if (known.is_taken && known.cgroup == found.cgroup) continue;
    known.cgroup = found.cgroup;
    known.is_taken = callbacks_.on_found(std::move(found));
  }
  scanned_ = scanned_ || answer.request.all;
}

void ProcessFinder::forget_missing(const Answer& answer) {
  std::set<ProcessKey> found;
  for (const FoundProcess& process : answer.found) found.insert(process.key);
  std::vector<ProcessKey> missing;
  for (const auto& [key, known] : known_) {
    const bool looked_at = answer.request.all || answer.request.pids.contains(key.pid);
    if (looked_at && !found.contains(key) && !answer.unknown.contains(key.pid)) missing.push_back(key);
  }
  for (const ProcessKey& key : missing) {
    known_.erase(key);
    callbacks_.on_gone(key);
  }
}

}  // namespace manometer::requests
