#include "agent/jvm/gc_threads.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <unistd.h>
#include <utility>

#include "agent/node/process_threads.h"

namespace manometer::jvm {
namespace {

// Names are given after the start, and threads can come and go without their number changing.
constexpr std::chrono::seconds kLookAgainAfter{10};
// In a storm of collections a thread may not be seen at rest for many samples. Of a minute, this is less than counts.
constexpr std::chrono::nanoseconds kMostUndecided = std::chrono::seconds(1);

/// How their names begin, in JDK 11 to 25. Numbers may follow; what is longer than 15 bytes is cut there.
constexpr auto kNames = std::to_array<std::string_view>({
    // Parallel; G1; CMS, whose young generation has those of Parallel
    "GC Thread#",
    "ParGC Thread#",
    "G1 Main Marker",
    "G1 Conc#",
    "G1 Refine#",
    "G1 Service",
    "G1 Young RemSet",
    "CMS Main Thread",
    "CMS Thread#",
    // ZGC, with generations (ZWorkerYoung#, ZDriverMinor) and without; JDK 21 has X for what has none
    "ZWorker",
    "ZDriver",
    "ZDirector",
    "ZStat",
    "ZUncommitter",
    "ZUnmapper",
    "RuntimeWorker#",
    "XWorker#",
    "XDriver",
    "XDirector",
    "XStat",
    "XUncommitter",
    "XUnmapper",
    // Shenandoah, whose control thread JDK 11 writes in one word
    "Shenandoah GC T",
    "Shenandoah Cont",
    "ShenandoahContr",
    "Shenandoah Regu",
    "Shenandoah Unco",
});

bool is_inaccessible(const node::Mapping& mapping) {
  return !mapping.readable && !mapping.writable && !mapping.executable;
}

}  // namespace

bool names_gc_thread(std::string_view comm, std::string_view collector) {
  // Serial has no threads of its own. What else this one does takes next to nothing.
  if (comm == "VM Thread") return collector == "Serial";
  return std::ranges::any_of(kNames, [&](std::string_view name) { return comm.starts_with(name); });
}

std::optional<bool> has_java_guard(std::span<const node::Mapping> maps, uint64_t stack_pointer, uint64_t page_bytes) {
  const auto stack = std::ranges::find_if(maps, [&](const node::Mapping& mapping) {
    return mapping.start <= stack_pointer && stack_pointer < mapping.end;
  });
  if (stack == maps.end()) return std::nullopt;
  if (stack == maps.begin()) return false;
  const node::Mapping& below = *std::prev(stack);
  return below.end == stack->start && is_inaccessible(below) && below.end - below.start > page_bytes;
}

Result<std::optional<uint64_t>> GcThreads::cpu_ns(const node::Process& process, const node::ProcStat& stat,
                                                  std::string_view collector, TimePoint now) {
  if (error_ && now - failed_at_ < kLookAgainAfter) return *error_;
  error_.reset();
  if (const auto updated = update(process, stat, collector, now); !updated) {
    error_ = updated.error();
    failed_at_ = now;
    all_looked_at_.reset();
    return *error_;
  }
  return sum();
}

Result<void> GcThreads::update(const node::Process& process, const node::ProcStat& stat, std::string_view collector,
                               TimePoint now) {
  const bool is_first = !all_looked_at_;
  const bool all = is_first || now - *all_looked_at_ >= kLookAgainAfter;
  if (all) {
    others_.clear();
    if (auto forgot = forget_gone_java_threads(process); !forgot) return forgot;
    all_looked_at_ = now;
  }
  if (all || stat.threads != threads_listed_) {
    if (auto listed = list(process, collector); !listed) return listed;
    threads_listed_ = stat.threads;
  }
  if (auto read = read_threads(process); !read) return read;
  if (auto decided = decide(process); !decided) return decided;
  if (!is_first) return {};
  // What such a thread did before we came must not look as if it were done at once when it is decided.
  for (auto& [id, thread] : named_) {
    if (thread.kind == Kind::kUndecided) thread.uncounted_ns = thread.cpu_ns;
  }
  return {};
}

Result<void> GcThreads::list(const node::Process& process, std::string_view collector) {
  const auto ids = node::thread_ids(process, limits_.threads);
  if (!ids) return ids.error();
  if (!*ids) return {};
  std::vector<pid_t> before = std::exchange(others_, {});
  for (const pid_t id : **ids) {
    if (named_.contains(id)) continue;
    if (std::ranges::binary_search(before, id)) {
      others_.push_back(id);
    } else if (auto looked = look_at(process, id, collector); !looked) {
      return looked;
    }
  }
  return {};
}

Result<void> GcThreads::look_at(const node::Process& process, pid_t id, std::string_view collector) {
  const auto name = node::thread_name(process, id);
  if (!name) return name.error();
  if (!*name) return {};
  if (!names_gc_thread(**name, collector)) {
    others_.push_back(id);
    return {};
  }
  if (named_.size() == limits_.named)
    return Error("more than " + std::to_string(limits_.named) + " of its threads are called like GC threads");
  const auto stat = node::thread_stat(process, id);
  if (!stat) return stat.error();
  if (*stat) named_[id].start_ticks = (*stat)->start_ticks;
  return {};
}

/// Of the others that are gone, read_threads() learns.
Result<void> GcThreads::forget_gone_java_threads(const node::Process& process) {
  for (auto it = named_.begin(); it != named_.end();) {
    bool gone = false;
    if (it->second.kind == Kind::kJava) {
      const auto stat = node::thread_stat(process, it->first);
      if (!stat) return stat.error();
      gone = !*stat || (*stat)->start_ticks != it->second.start_ticks;
    }
    it = gone ? named_.erase(it) : std::next(it);
  }
  return {};
}

Result<void> GcThreads::read_threads(const node::Process& process) {
  for (auto it = named_.begin(); it != named_.end();) {
    Thread& thread = it->second;
    if (thread.kind == Kind::kJava) {
      ++it;
      continue;
    }
    const auto stat = node::thread_stat(process, it->first);
    if (!stat) return stat.error();
    if (!*stat || (*stat)->start_ticks != thread.start_ticks) {
      if (thread.kind == Kind::kCollects) ended_ns_ += thread.cpu_ns - thread.uncounted_ns;
      it = named_.erase(it);
      continue;
    }
    thread.cpu_ns = std::max(thread.cpu_ns, (*stat)->cpu_ns());
    ++it;
  }
  return {};
}

/// True if it found one that is not decided. Looks several times, because one that works hard seldom rests.
Result<bool> GcThreads::find_at_rest(const node::Process& process) {
  constexpr size_t kLooks = 20;
  constexpr size_t kReads = 200;  // so that many that never rest, which a container can have, cost a millisecond
  constexpr std::chrono::microseconds kBetween{200};
  std::vector<std::pair<const pid_t, Thread>*> running;
  for (auto& entry : named_) {
    if (entry.second.kind == Kind::kUndecided) running.push_back(&entry);
  }
  const size_t all = running.size();
  const size_t looks = all == 0 ? 0 : std::clamp<size_t>(kReads / all, 1, kLooks);
  for (size_t look = 0; look < looks && !running.empty(); ++look) {
    if (look > 0) std::this_thread::sleep_for(kBetween);
    for (auto* const entry : running) {
      const auto syscall = node::thread_syscall(process, entry->first);
      if (!syscall) return syscall.error();
      entry->second.stack_pointer = *syscall ? (*syscall)->stack_pointer : std::nullopt;
    }
    std::erase_if(running, [](const auto* entry) { return entry->second.stack_pointer.has_value(); });
  }
  return running.size() < all;
}

Result<void> GcThreads::decide(const node::Process& process) {
  const auto can_decide = find_at_rest(process);
  if (!can_decide) return can_decide.error();
  if (!*can_decide) return {};
  const auto maps = process.maps();
  if (!maps) return maps.error();
  if (!*maps) return {};
  const auto page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  for (auto& [id, thread] : named_) {
    if (thread.kind != Kind::kUndecided || !thread.stack_pointer) continue;
    const auto java = has_java_guard(**maps, *thread.stack_pointer, page_bytes);
    if (java) thread.kind = *java ? Kind::kJava : Kind::kCollects;
    found_any_ = found_any_ || thread.kind == Kind::kCollects;
  }
  return {};
}

std::optional<uint64_t> GcThreads::sum() const {
  if (!found_any_) return std::nullopt;
  uint64_t sum = ended_ns_;
  uint64_t undecided = 0;
  for (const auto& [id, thread] : named_) {
    if (thread.kind == Kind::kCollects) sum += thread.cpu_ns - thread.uncounted_ns;
    if (thread.kind == Kind::kUndecided) undecided += thread.cpu_ns - thread.uncounted_ns;
  }
  return undecided > static_cast<uint64_t>(kMostUndecided.count()) ? std::nullopt : std::optional(sum);
}

}  // namespace manometer::jvm
