#include "agent/collectors/self.h"

#include <algorithm>
#include <array>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "agent/base/blocking_pool.h"
#include "agent/base/refusals.h"
#include "agent/base/text.h"
#include "agent/jvm/discovery.h"
#include "agent/jvm/gc_watch.h"
#include "agent/jvm/registry.h"
#include "agent/node/read_file.h"
#include "agent/probes/probes.h"
#include "agent/requests/process_finder.h"
#include "agent/requests/watch.h"

namespace manometer::collectors {
namespace {

using metrics::kCounter;
using metrics::kGauge;
using metrics::kMinimal;
using metrics::Metric;

constexpr Metric kBuildInfo{"manometer_build_info", "Version of the agent, always 1.", kGauge, "version", kMinimal};
constexpr Metric kJvms{"manometer_jvms", "JVMs known, by how they are read.", kGauge, "tier", kMinimal};
constexpr Metric kFailures{"manometer_jvm_read_failures_total", "Times a JVM's data became unreadable, by reason.",
                           kCounter, "reason", kMinimal};
constexpr Metric kUnmeasured{
    "manometer_unmeasured",
    "JVMs, processes or containers of which something could be measured and is not; the log says why. what: "
    "allocation_stalls (of ZGC and Shenandoah), gc_pauses (one by one), gc_cpu, container_stalls, all (of a process "
    "that is refused now).",
    kGauge, "what", kMinimal};
constexpr Metric kRefused{"manometer_refused_total",
                          "Processes not measured because there were too many. limit: jvms, watched, containers (of "
                          "--max-jvms and so on). A process is tried again when there is room.",
                          kCounter, "limit", kMinimal};
constexpr Metric kDenied{"manometer_processes_denied",
                         "Processes the last scan could not look into for lack of rights.", kGauge, "", kMinimal};
constexpr Metric kBlocked{"manometer_blocked_reads", "Reads that hang now, on a file system that does not answer.",
                          kGauge, "", kMinimal};
constexpr Metric kProbe{"manometer_probe_attached", "1 if the probe works, 0 if the agent does without.", kGauge,
                        "probe", kMinimal};
constexpr Metric kLost{"manometer_events_lost_total", "Events in the kernel that were lost, by what lost them.",
                       kCounter, "reason", kMinimal};
constexpr Metric kRunSeconds{"manometer_bpf_run_seconds_total",
                             "Time in a BPF program; while kernel.bpf_stats_enabled is 1.", kCounter, "program",
                             kMinimal};
constexpr Metric kRuns{"manometer_bpf_runs_total", "Runs of a BPF program; while kernel.bpf_stats_enabled is 1.",
                       kCounter, "program", kMinimal};
constexpr Metric kCpu{"process_cpu_seconds_total", "User and system CPU time of the agent.", kCounter, "", kMinimal};
constexpr Metric kRss{"process_resident_memory_bytes", "Resident memory of the agent.", kGauge, "", kMinimal};
constexpr Metric kFds{"process_open_fds", "Open file descriptors of the agent.", kGauge, "", kMinimal};
constexpr std::array kMetrics{kBuildInfo, kJvms, kFailures,   kUnmeasured, kRefused, kDenied, kBlocked,
                              kProbe,     kLost, kRunSeconds, kRuns,       kCpu,     kRss,    kFds};

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

Result<uint64_t> parse_resident_pages(std::string_view statm) {
  take_until(statm, ' ');
  uint64_t pages = 0;
  if (!parse_number(take_until(statm, ' '), pages)) return Error("malformed statm");
  return pages;
}

Result<double> open_fds() {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir("/proc/self/fd"), ::closedir);
  if (!dir) return Error::from_errno("open /proc/self/fd");
  double count = -3;                                // ".", ".." and the directory itself
  while (::readdir(dir.get()) != nullptr) ++count;  // NOLINT(concurrency-mt-unsafe): this DIR is ours alone
  return count;
}

}  // namespace

std::span<const Metric> Self::metrics() const {
  return kMetrics;
}

void Self::add_jvms(metrics::Batch& batch) const {
  std::map<std::string_view, double> by_tier;
  for (const auto tier : {jvm::Tier::kHsperfdata, jvm::Tier::kMemory, jvm::Tier::kUsdt, jvm::Tier::kNone})
    by_tier[to_string(tier)] = 0;
  for (const auto& [key, jvm] : sources_.jvms.jvms()) ++by_tier[to_string(jvm.refusal ? jvm::Tier::kNone : jvm.tier)];
  for (const auto& [tier, count] : by_tier) batch.add(kJvms, {}, {{"tier", std::string(tier)}}, count);
  for (const auto failure : jvm::kFailures) {
    if (failure == jvm::Failure::kStarting) continue;  // not a failure yet
    const auto found = sources_.jvms.failures().find(failure);
    const uint64_t count = found == sources_.jvms.failures().end() ? 0 : found->second;
    batch.add(kFailures, {}, {{"reason", std::string(to_string(failure))}}, static_cast<double>(count));
  }
  add_unmeasured(batch);
  add_refused(batch);
  batch.add(kDenied, {}, static_cast<double>(sources_.discovery.denied()));
  const size_t of_libraries = sources_.gc == nullptr ? 0 : sources_.gc->stuck();
  batch.add(kBlocked, {}, static_cast<double>(sources_.pool.stuck() + of_libraries));
}

void Self::add_refused(metrics::Batch& batch) const {
  std::vector<const Refusals*> all{&sources_.refusals};
  if (sources_.requests != nullptr) all.push_back(&sources_.requests->refusals());
  for (const auto limit : Refusals::kLimits) {
    uint64_t count = 0;
    for (const Refusals* refusals : all) count += refusals->count(limit);
    batch.add(kRefused, {}, {{"limit", std::string(to_string(limit))}}, static_cast<double>(count));
  }
  size_t now = 0;
  for (const Refusals* refusals : all) now += refusals->size();
  batch.add(kUnmeasured, {}, {{"what", "all"}}, static_cast<double>(now));
}

void Self::add_unmeasured(metrics::Batch& batch) const {
  const auto& jvms = sources_.jvms.jvms();
  const auto stalls = std::ranges::count_if(jvms, [](const auto& entry) {
    const jvm::Jvm& jvm = entry.second;
    return jvm.sample && !jvm.stalls && jvm::collects_concurrently(jvm.identity->collector);
  });
  const auto cpu = std::ranges::count_if(jvms, [](const auto& entry) { return entry.second.gc_cpu_failed; });
  const auto containers = std::ranges::count_if(
      sources_.containers.all(), [](const auto& entry) { return entry.second.memory && !entry.second.counted; });
  batch.add(kUnmeasured, {}, {{"what", "allocation_stalls"}}, static_cast<double>(stalls));
  const auto pauses = std::ranges::count_if(jvms, [&](const auto& entry) {
    const auto& [key, jvm] = entry;
    return sources_.gc != nullptr && jvm.sample && !sources_.gc->is_pending(key) && !sources_.gc->tells_stops(key);
  });
  batch.add(kUnmeasured, {}, {{"what", "gc_pauses"}}, static_cast<double>(pauses));
  batch.add(kUnmeasured, {}, {{"what", "gc_cpu"}}, static_cast<double>(cpu));
  batch.add(kUnmeasured, {}, {{"what", "container_stalls"}}, static_cast<double>(containers));
}

void Self::add_probes(metrics::Batch& batch) const {
  for (const probes::Status& probe : sources_.probes.status()) {
    batch.add(kProbe, {}, {{"probe", std::string(probe.name)}}, probe.attached ? 1 : 0);
  }
  auto lost = sources_.probes.lost();
  lost["process_storm"] = sources_.discovery.left_to_scan();
  if (sources_.finder != nullptr) lost["watch_storm"] = sources_.finder->left_to_scan();
  for (const auto& [reason, count] : lost) {
    batch.add(kLost, {}, {{"reason", std::string(reason)}}, static_cast<double>(count));
  }
  for (const bpf::ProgramStats& stats : sources_.probes.program_stats()) {
    constexpr double kNanosecondsPerSecond = 1e9;
    batch.add(kRunSeconds, {}, {{"program", stats.program}}, static_cast<double>(stats.run_ns) / kNanosecondsPerSecond);
    batch.add(kRuns, {}, {{"program", stats.program}}, static_cast<double>(stats.runs));
  }
}

Result<void> Self::add_process(metrics::Batch& batch) const {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  batch.add(kCpu, {}, seconds(usage.ru_utime) + seconds(usage.ru_stime));
  const auto pages = node::read_and_parse(AT_FDCWD, "/proc/self/statm", parse_resident_pages);
  if (!pages) return pages.error();
  if (*pages) batch.add(kRss, {}, static_cast<double>(**pages) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  const auto fds = open_fds();
  if (!fds) return fds.error();
  batch.add(kFds, {}, *fds);
  return {};
}

Result<void> Self::collect(metrics::Batch& batch) {
  batch.add(kBuildInfo, {}, {{"version", MANOMETER_VERSION}}, 1);
  add_jvms(batch);
  add_probes(batch);
  return add_process(batch);
}

}  // namespace manometer::collectors
