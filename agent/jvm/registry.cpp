#include "agent/jvm/registry.h"

#include <algorithm>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "agent/jvm/pressure_sample.h"

namespace manometer::jvm {
namespace {

// A read not back by then is given up; the JVM's values are left out until it is.
constexpr std::chrono::seconds kGiveUpAfter{2};

TimePoint now() {
  return std::chrono::steady_clock::now();
}

/// From one time to another in the ticks of ProcessKey, a century at most.
TimePoint::duration between(uint64_t from, uint64_t to) {
  constexpr std::chrono::nanoseconds kMost = std::chrono::years(100);
  const std::chrono::nanoseconds tick = std::chrono::nanoseconds(std::chrono::seconds(1)) / ::sysconf(_SC_CLK_TCK);
  return tick * std::clamp(static_cast<int64_t>(to - from), -(kMost / tick), kMost / tick);
}

}  // namespace

Registry::Registry(boost::asio::io_context& loop, BlockingPool& pool, container::Index& containers, LogOnce& log,
                   Refusals& refusals, Options options)
    : sample_timer_(loop),
      starting_timer_(loop, [this] { read_starting(); }),
      pool_(pool),
      containers_(containers),
      log_(log),
      refusals_(refusals),
      options_(options),
      started_at_(now()) {
  options_.pressure = with_room_for(options_.pressure, options_.sample_interval);
}

void Registry::start() {
  sample_timer_.expires_after(options_.sample_interval);
  sample_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    read_all();
    start();
  });
}

std::string Registry::make_pid(const FoundJvm& jvm, const std::string& container) const {
  std::string pid = std::to_string(jvm.namespace_pid);
  // Two pid namespaces in one cgroup: rare, but a series must have one JVM only.
  const container::Target wanted = containers_.target(container, pid);
  const bool taken = std::ranges::any_of(
      jvms_, [&](const auto& other) { return other.first != jvm.key && target(other.second) == wanted; });
  return taken ? fmt::format("{}-{}", pid, jvm.key.pid) : pid;
}

/// False for a new one that there is no room for.
bool Registry::admit(const FoundJvm& found) {
  using enum Refusals::Limit;
  const bool is_known = jvms_.contains(found.key);
  const bool has_room = is_known || room() > 0;
  const bool has_container = is_known || containers_.has_room_for(found.cgroup);
  if (has_room && has_container) {
    refusals_.remove(found.key.pid);
    return true;
  }
  refusals_.add(has_room ? kContainers : kJvms, has_room ? containers_.most() : options_.most, found.key);
  return false;
}

void Registry::found(FoundJvm found) {
  // A JVM never moves its data, so one that we have read before and find again is another program of the same process.
  const auto known = find(found.key.pid);
  if (known != jvms_.end() && (known->first != found.key || known->second.sample)) gone(found.key.pid);
  if (!admit(found)) return;
  auto [it, fresh] = jvms_.try_emplace(found.key);
  Jvm& jvm = it->second;
  if (fresh) {
    jvm.found_at = now();
    jvm.started_at = started_at_ + between(options_.started_ticks, found.key.start_ticks);
    jvm.history = PressureHistory(options_.pressure);
    jvm.container = containers_.acquire(found.cgroup, found.process);
    jvm.pid = make_pid(found, jvm.container);
    on_found(found, jvm);
  }
  jvm.reader_number = ++readers_;
  jvm.reader = PerfReader(std::move(found.process));
  read(found.key, jvm);
}

void Registry::gone(const ProcessKey& key) {
  refusals_.remove(key);
  const auto it = jvms_.find(key);
  if (it == jvms_.end()) return;
  spdlog::info("JVM {} is gone", key.pid);
  containers_.release(it->second.container);
  jvms_.erase(it);
  on_gone(key);
}

void Registry::gone(pid_t pid) {
  refusals_.remove(pid);
  for (auto it = find(pid); it != jvms_.end(); it = find(pid)) gone(ProcessKey(it->first));
}

std::map<ProcessKey, Jvm>::const_iterator Registry::find(pid_t pid) const {
  const auto it = jvms_.lower_bound({pid, 0});
  return it != jvms_.end() && it->first.pid == pid ? it : jvms_.end();
}

bool Registry::knows(pid_t pid) const {
  const auto it = find(pid);
  return it != jvms_.end() && (it->second.reader || it->second.reading_since);
}

bool Registry::all_read() const {
  return std::ranges::all_of(jvms_, [](const auto& entry) { return entry.second.sample || entry.second.refusal; });
}

void Registry::count(pid_t pid, const Refusal& refusal) {
  ++failures_[refusal.failure];
  const std::string cause = fmt::format("process {}: {}", pid, to_string(refusal.failure));
  log_.warn(cause, fmt::format("{}: {}", cause, printable(refusal.detail)));
}

void Registry::read_all() {
  for (auto& [key, jvm] : jvms_) {
    if (jvm.reader) {
      read(key, jvm);
    } else if (jvm.reading_since && now() - *jvm.reading_since > kGiveUpAfter) {
      refuse(key, jvm, {Failure::kUnresponsive, "a read of its performance data does not come back"});
    }
  }
}

void Registry::read_starting() {
  for (auto& [key, jvm] : jvms_) {
    if (!jvm.reader || !jvm.look_again_at) continue;
    if (*jvm.look_again_at <= now()) {
      read(key, jvm);
    } else {
      starting_timer_.schedule(*jvm.look_again_at);
    }
  }
}

void Registry::read(const ProcessKey& key, Jvm& jvm) {
  struct Outcome {
    PerfReader reader;
    PerfReader::Reading reading;
  };
  jvm.reading_since = now();
  PerfReader reader = *std::move(jvm.reader);
  jvm.reader.reset();
  pool_.run(
      [reader = std::move(reader), at = *jvm.reading_since, pools = read_pools(key)]() mutable {
        auto reading = reader.read(at, pools);
        return Outcome{std::move(reader), std::move(reading)};
      },
      [this, key, number = jvm.reader_number](Outcome outcome) {
        done(key, number, std::move(outcome.reader), std::move(outcome.reading));
      });
}

void Registry::done(const ProcessKey& key, uint64_t reader_number, PerfReader reader, PerfReader::Reading reading) {
  const auto it = jvms_.find(key);
  if (it == jvms_.end() || it->second.reader_number != reader_number) return;
  Jvm& jvm = it->second;
  jvm.reading_since.reset();
  if (std::holds_alternative<Gone>(reading)) {
    lose(key, jvm);
    return;
  }
  if (const JvmIdentity* identity = reader.identity()) jvm.identity = *identity;
  jvm.tier = reader.tier();
  jvm.look_again_at.reset();
  jvm.gc_cpu_failed = reader.cpu_error().has_value();
  if (const auto& error = reader.cpu_error()) {
    const std::string cause = fmt::format("process {}: its GC's CPU time is not known", key.pid);
    log_.warn(cause, fmt::format("{}: {}", cause, printable(error->message())));
  }
  if (auto* refusal = std::get_if<Refusal>(&reading)) {
    // Between mapping libjvm and making its data, a JVM looks as if it kept none.
    const bool may_start = refusal->failure == Failure::kStarting || refusal->failure == Failure::kPerfDataOff;
    if (may_start) jvm.look_again_at = starting_timer_.again(jvm.found_at);
    if (jvm.look_again_at) refusal->failure = Failure::kStarting;
    if (refusal->failure == Failure::kPerfDataOff) on_looked_at(key, reader);
    // Data that were not found are left to the scan.
    if (jvm.look_again_at || jvm.tier != Tier::kNone) jvm.reader = std::move(reader);
    refuse(key, jvm, std::move(*refusal));
  } else {
    jvm.reader = std::move(reader);
    take(key, jvm, std::get<PerfSample>(std::move(reading)));
  }
}

void Registry::lose(const ProcessKey& key, Jvm& jvm) {
  // Looked for again at once, but not in a circle: what is lost as soon as it is found has to wait for a scan.
  if (std::exchange(jvm.lost, true)) {
    refuse(key, jvm, {Failure::kUnsafe, "its performance data are lost as soon as they are found"});
  } else {
    jvm.refusal = Refusal{Failure::kStarting, "its performance data went away"};
    on_lost(key.pid);
  }
}

void Registry::take(const ProcessKey& key, Jvm& jvm, PerfSample sample) {
  if (!jvm.sample) {
    const JvmIdentity& who = *jvm.identity;
    const std::string vm = who.vm.empty() ? "" : fmt::format("{} {} ", who.vm, who.version);
    spdlog::info("JVM {}: {}with {}, read by {}", key.pid, vm, who.collector, to_string(jvm.tier));
    on_looked_at(key, *jvm.reader);
  }
  jvm.refusal.reset();
  jvm.lost = false;
  if (jvm.sample) {
    jvm.gc.add(*jvm.sample, sample);
  } else if (key.start_ticks >= options_.started_ticks) {
    jvm.gc.add(PerfSample{}, sample);
  }
  jvm.sampled_at = now();
  jvm.live.add(sample, jvm.identity->collector, jvm.sampled_at);
  jvm.sample = std::move(sample);
  assess_pressure(key, jvm);
}

void Registry::assess_pressure(const ProcessKey& key, Jvm& jvm) {
  // Reading it takes as long as reading the JVM, and a window needs no more to be right within a tenth. When the heap's
  // size is told anew, what is beside it takes a reading of just then.
  constexpr int kReadings = 12;
  const bool told_anew = heap_told(*jvm.sample, jvm.identity->collector) != jvm.history.heap_told();
  const TimePoint::duration max_age = told_anew ? TimePoint::duration::zero() : options_.pressure.window / kReadings;
  const auto& memory = containers_.memory(jvm.container, jvm.sampled_at, max_age);
  jvm.stalls = read_stalls(key);
  PressureSample sample =
      to_pressure_sample({*jvm.sample, jvm.identity->collector, jvm.gc, jvm.live, memory, jvm.stalls});
  sample.at = jvm.sampled_at;
  sample.age = jvm.sampled_at - jvm.started_at;
  jvm.history.add(sample);
  jvm.pressure = assess(jvm.history.samples(), jvm.history.live(), options_.pressure);
}

void Registry::refuse(const ProcessKey& key, Jvm& jvm, Refusal refusal) {
  const bool is_new = !jvm.refusal || jvm.refusal->failure != refusal.failure;
  if (is_new && refusal.failure != Failure::kStarting) count(key.pid, refusal);
  jvm.refusal = std::move(refusal);
}

}  // namespace manometer::jvm
