#include "agent/jvm/discovery.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace manometer::jvm {
namespace {

// Each is looked at some thirty times, on the loop: more of them would keep it from its other work.
constexpr size_t kMaxCandidates = 1000;

constexpr uint64_t kNoScan = std::numeric_limits<uint64_t>::max();

TimePoint now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

Discovery::Discovery(boost::asio::io_context& loop, BlockingPool& pool, const node::ProcFs& proc, Registry& registry,
                     LogOnce& log, std::chrono::milliseconds scan_interval)
    : scan_timer_(loop),
      look_timer_(loop, [this] { look_at_due(); }),
      pool_(pool),
      proc_(proc),
      registry_(registry),
      log_(log),
      scan_interval_(scan_interval) {
  registry_.on_lost = [this](pid_t pid) { inspect(pid, kNoScan); };
}

void Discovery::start() {
  scan();
  scan_timer_.expires_after(scan_interval_);
  scan_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) start();
  });
}

void Discovery::on_exec(pid_t pid) {
  registry_.gone(pid);
  if (candidates_.size() >= kMaxCandidates && !candidates_.contains(pid)) {
    ++left_to_scan_;
    return;
  }
  candidates_[pid] = {now(), now()};
  look_again(pid);
}

void Discovery::on_exit(const ProcessKey& key) {
  registry_.gone(key);
  candidates_.erase(key.pid);
}

void Discovery::scan() {
  auto pids = proc_.pids();
  if (!pids) {
    log_.warn("scan", "scan for JVMs: " + pids.error().message());
    return;
  }
  // Of two JVMs that would share a series, the one with the lower pid keeps its plain name.
  std::ranges::sort(*pids);
  if (in_scan_ > 0) end_scan();  // a process that hangs holds up no other
  ++scan_;
  in_scan_ = 1;  // the scan itself
  drop_ended();
  for (const auto& [key, jvm] : registry_.jvms()) {
    if (!registry_.knows(key.pid)) inspect(key.pid, scan_);
  }
  registry_.refusals().keep(*pids);
  size_t room = registry_.room();
  for (const pid_t pid : *pids) {
    if (registry_.has(pid) || candidates_.contains(pid)) continue;
    // However many were refused, no more are looked at again than could be taken now.
    if (registry_.refusals().contains(pid) && (room == 0 || room-- == 0)) continue;
    if (may_be_jvm(pid).value_or(false)) inspect(pid, scan_);
  }
  inspected_for(scan_);
}

/// Forgets JVMs that ended in a read that does not come back to say so.
void Discovery::drop_ended() {
  std::vector<ProcessKey> ended;
  for (const auto& [key, jvm] : registry_.jvms()) {
    if (!jvm.reading_since) continue;
    const auto process = proc_.process(key.pid);
    if (!process) continue;
    const auto stat = *process ? (*process)->stat() : std::optional<node::ProcStat>();
    if (stat && (!*stat || (*stat)->start_ticks != key.start_ticks || (*stat)->is_dead())) ended.push_back(key);
  }
  for (const ProcessKey& key : ended) registry_.gone(key);
}

void Discovery::inspected_for(uint64_t scan) {
  if (scan == scan_ && --in_scan_ == 0) end_scan();
}

void Discovery::end_scan() {
  scanned_ = true;
  denied_ = std::exchange(denied_in_scan_, 0);
}

void Discovery::look_at_due() {
  const TimePoint start = now();
  std::vector<pid_t> due;
  for (const auto& [pid, candidate] : candidates_) {
    if (inspecting_.contains(pid)) continue;
    if (candidate.due <= start) {
      due.push_back(pid);
    } else {
      look_timer_.schedule(candidate.due);
    }
  }
  for (const pid_t pid : due) look_at(pid);
}

void Discovery::look_at(pid_t pid) {
  const auto looks_like_one = may_be_jvm(pid);
  if (!looks_like_one) {
    candidates_.erase(pid);
  } else if (*looks_like_one) {
    inspect(pid, kNoScan);
  } else {
    look_again(pid);
  }
}

/// nullopt: it is gone.
std::optional<bool> Discovery::may_be_jvm(pid_t pid) const {
  const auto process = proc_.process(pid);
  if (!process || !*process) return std::nullopt;
  const auto stat = (*process)->stat();
  if (!stat || !*stat || (*stat)->is_dead()) return std::nullopt;
  // From libjvm's start on it has threads of its own, so most processes are told by one small file.
  return (*stat)->threads > 1 && !(*stat)->is_kernel_thread();
}

void Discovery::look_again(pid_t pid) {
  const auto found = candidates_.find(pid);
  if (found == candidates_.end()) return;
  if (const auto due = look_timer_.again(found->second.since)) {
    found->second.due = *due;
  } else {
    candidates_.erase(found);  // left to the scan
  }
}

/// scan: the number of the one that asks, or kNoScan.
void Discovery::inspect(pid_t pid, uint64_t scan) {
  if (!inspecting_.insert(pid).second) return;
  if (scan == scan_) ++in_scan_;
  pool_.run([this, pid] { return jvm::inspect(proc_, pid); },
            [this, pid, scan](Inspection inspection) {
              inspecting_.erase(pid);
              const auto* refusal = std::get_if<Refusal>(&inspection);
              if (refusal != nullptr && refusal->failure == Failure::kDenied && scan == scan_) ++denied_in_scan_;
              take(pid, std::move(inspection));
              inspected_for(scan);
            });
}

void Discovery::take(pid_t pid, Inspection inspection) {
  if (auto* jvm = std::get_if<FoundJvm>(&inspection)) {
    candidates_.erase(pid);
    registry_.found(std::move(*jvm));
  } else if (const auto* refusal = std::get_if<Refusal>(&inspection)) {
    if (refusal->failure != Failure::kDenied) registry_.count(pid, *refusal);
  } else {
    registry_.gone(pid);
    if (std::holds_alternative<Gone>(inspection)) candidates_.erase(pid);
  }
  look_again(pid);
}

}  // namespace manometer::jvm
