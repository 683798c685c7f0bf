#include "agent/cli/check.h"

#include <algorithm>
#include <fcntl.h>
#include <functional>
#include <iostream>
#include <memory>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "agent/base/descriptor_limit.h"
#include "agent/base/log.h"
#include "agent/bpf/skeleton.h"
#include "agent/cli/report.h"
#include "agent/jvm/gc_watch.h"
#include "agent/jvm/watch.h"
#include "agent/node/capabilities.h"
#include "agent/node/read_file.h"
#include "agent/probes/probes.h"

namespace manometer::cli {
namespace {

using node::Capability;

bool is_denied(const Error& error) {
  return error.number() == EACCES || error.number() == EPERM;
}

Finding check_processes(const node::HostPaths& host) {
  Finding finding{"processes", Status::kOk, true, "", ""};
  const auto proc = node::ProcFs::open(host.proc);
  const auto pids = proc ? proc->pids() : Result<std::vector<pid_t>>(proc.error());
  if (!pids || pids->empty()) {
    finding.status = Status::kMissing;
    finding.detail = pids ? host.proc + " shows none" : pids.error().message();
    finding.advice = "mount a proc file system there, or name another with --host-proc";
    return finding;
  }
  finding.detail = fmt::format("{} in {}", pids->size(), host.proc);
  return finding;
}

/// Each JVM keeps two or three open.
Finding check_open_files() {
  const auto most = raise_descriptor_limit();
  if (most) return {"open files", Status::kOk, false, fmt::format("{} at most", *most), ""};
  return {"open files", Status::kDegraded, false, most.error().message(), ""};
}

Finding check_other_users(Variant variant) {
  Finding finding{"other users' JVMs", Status::kOk, variant == Variant::kNode, "CAP_SYS_PTRACE is there", ""};
  const auto may_look = node::has_capability(Capability::kSysPtrace);
  if (may_look && *may_look) return finding;
  finding.status = variant == Variant::kNode ? Status::kMissing : Status::kDegraded;
  finding.detail = may_look ? "no CAP_SYS_PTRACE: only JVMs of this user can be read" : may_look.error().message();
  if (variant == Variant::kNode) finding.advice = "run as root, or add the capability SYS_PTRACE";
  return finding;
}

/// Follows the link of one of our own mappings, which takes the same right as another process's.
Result<void> try_mapped_file() {
  const auto proc = node::ProcFs::open("/proc");
  if (!proc) return proc.error();
  const auto self = proc->process(::getpid());
  if (!self) return self.error();
  const auto maps = (*self)->maps();
  if (!maps) return maps.error();
  for (const node::Mapping& mapping : **maps) {
    if (mapping.inode == 0) continue;
    const std::string link = fmt::format("map_files/{:x}-{:x}", mapping.start, mapping.end);
    const UniqueFd fd(::openat((*self)->directory(), link.c_str(), O_PATH | O_CLOEXEC));
    if (!fd) return Error::from_errno("open /proc/self/" + link);
    return {};
  }
  return Error("no file is mapped");
}

Finding check_tier_hsperfdata() {
  Finding finding{"tier hsperfdata", Status::kOk, false, "by the mapped file itself", ""};
  const auto opened = try_mapped_file();
  if (opened) return finding;
  finding.status = Status::kDegraded;
  finding.detail = "by path only, which a deleted or replaced file escapes: " + opened.error().message();
  if (is_denied(opened.error())) finding.advice = "run as root, or add the capability CHECKPOINT_RESTORE";
  return finding;
}

Finding check_tier_memory() {
  Finding finding{"tier memory", Status::kOk, false, "for JVMs without a file (-XX:+PerfDisableSharedMem)", ""};
  constexpr std::string_view kNobodyMayAttach = "3";
  const auto yama = node::read_file("/proc/sys/kernel/yama/ptrace_scope");
  const auto may_attach = node::has_capability(Capability::kSysPtrace);
  if (yama && *yama && (*yama)->starts_with(kNobodyMayAttach)) {
    finding.status = Status::kMissing;
    finding.detail = "kernel.yama.ptrace_scope is 3: nobody may read another process's memory";
    finding.advice = "boot the node with a lower one if such JVMs matter";
  } else if (!may_attach || !*may_attach) {
    finding.status = Status::kDegraded;
    finding.detail = "only for processes of this user";
    finding.advice = "run as root, or add the capability SYS_PTRACE";
  }
  return finding;
}

Finding check_container_memory(const node::NodeCgroups& cgroups, Variant variant) {
  const auto& mount = cgroups.mount;
  if (!mount)
    return {"container memory", Status::kMissing, false, "no memory controller is mounted",
            "mount the node's /sys/fs/cgroup and name it with --host-cgroup"};
  if (cgroups.hidden && variant == Variant::kNode)
    return {"container memory", Status::kDegraded, false, "only of the agent's own cgroup namespace", *cgroups.hidden};
  return {"container memory", Status::kOk, false,
          fmt::format("cgroup v{} at {}", static_cast<int>(mount->version), mount->memory), ""};
}

Finding check_pod_names(const std::string& log_root) {
  const std::string pods = log_root + "/pods";
  if (::access(pods.c_str(), R_OK | X_OK) == 0) return {"names of pods", Status::kOk, false, "in " + pods, ""};
  return {"names of pods", Status::kMissing, false, Error::from_errno("look into " + pods).message(),
          "on a Kubernetes node, mount its /var/log and name it with --host-log"};
}

Finding check_pressure(const std::optional<node::CgroupMount>& mount) {
  Finding finding{"memory pressure (PSI)", Status::kOk, false, "", ""};
  if (!mount || mount->unified.empty()) {
    finding.status = Status::kMissing;
    finding.detail = "there is no cgroup2 tree";
    return finding;
  }
  const auto text = node::read_file(mount->unified + "/memory.pressure");
  if (text && *text) {
    finding.detail = "in " + mount->unified;
    return finding;
  }
  finding.status = Status::kMissing;
  finding.detail = text ? "the kernel has no pressure files" : text.error().message();
  finding.advice = "boot the node with psi=1";
  return finding;
}

Finding check_kernel() {
  utsname name{};
  ::uname(&name);
  const bool has_btf = ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
  return {"kernel", has_btf ? Status::kOk : Status::kDegraded, false,
          fmt::format("{} {} BTF", name.release, has_btf ? "with" : "without"),
          has_btf ? "" : "the probes need a kernel with CONFIG_DEBUG_INFO_BTF"};
}

Finding check_probe(const probes::Status& probe, Variant variant) {
  Finding finding{fmt::format("probe {}", probe.name), Status::kOk, false, "loads and attaches", ""};
  if (probe.attached) return finding;
  finding.status = variant == Variant::kNode ? Status::kDegraded : Status::kMissing;
  finding.detail =
      variant == Variant::kNode ? fmt::format("{}; {}", probe.error, probe.without) : "not part of the sidecar";
  if (variant == Variant::kNode) finding.advice = fmt::format("run as root, or add the capabilities {}", probe.needs);
  return finding;
}

/// "shop/web-0/app", or without the names that are not known.
std::string name_of(const container::Target& target) {
  std::string name;
  for (const auto& part : {target.namespace_name, target.pod, target.container}) {
    if (part) name += (name.empty() ? "" : "/") + *part;
  }
  return name;
}

/// gc: nullptr if its probe does not work. measured: for so long that there is a pressure.
JvmFinding to_finding(const ProcessKey& key, const jvm::Jvm& jvm, const container::Target& target,
                      const jvm::GcWatch* gc, bool measured) {
  JvmFinding finding;
  finding.pid = key.pid;
  finding.container = name_of(target);
  const auto stops = gc == nullptr ? std::nullopt : gc->stops(key);
  if (stops) {
    finding.pauses = stops->source;
  } else if (jvm.sample) {
    finding.pauses = "counters";
  }
  finding.overcommit = jvm.pressure.overcommit;
  if (measured && jvm.sample && !jvm.refusal) finding.pressure = jvm.pressure;
  finding.tier = to_string(jvm.refusal ? jvm::Tier::kNone : jvm.tier);
  if (jvm.identity)
    finding.what = fmt::format("{} {}, {}", jvm.identity->vm, jvm.identity->version, jvm.identity->collector);
  if (jvm.refusal)
    finding.reason = fmt::format("{}: {}", to_string(jvm.refusal->failure), printable(jvm.refusal->detail));
  return finding;
}

void run_until(boost::asio::io_context& loop, TimePoint deadline, const std::function<bool()>& is_done) {
  constexpr std::chrono::milliseconds kPoll{10};
  while (!is_done() && std::chrono::steady_clock::now() < deadline) loop.run_for(kPoll);
}

/// Looks at the node as the agent does when it starts, and for as long as it takes to measure; gives up what hangs, and
/// the pressure of what compiles all the time. options: those of watch.
void look_around(boost::asio::io_context& loop, jvm::Watch& watch, const jvm::Watch::Options& options,
                 const jvm::GcWatch* gc, std::chrono::milliseconds measure) {
  constexpr std::chrono::seconds kGiveUpAfter{5};
  watch.start();
  run_until(loop, std::chrono::steady_clock::now() + kGiveUpAfter,
            [&] { return watch.ready() && (gc == nullptr || !gc->is_any_pending()); });
  if (measure == measure.zero()) return;
  // Only now all is measured.
  const TimePoint end = std::chrono::steady_clock::now() + measure;
  const bool tells_leaks = measure >= options.pressure.leak_window;
  const auto is_measured = [&](const auto& each) {
    const jvm::Jvm& jvm = each.second;
    return jvm.refusal || (jvm.pressure.load && (jvm.pressure.leak_suspected || !tells_leaks));
  };
  // Each part of the leak window ends with a sample, up to an interval late.
  run_until(loop, end + kGiveUpAfter + jvm::kLeakParts * options.sample_interval, [&] {
    return std::chrono::steady_clock::now() > end && std::ranges::all_of(watch.registry().jvms(), is_measured);
  });
}

}  // namespace

Result<bool> check(const CheckConfig& config) {
  set_up_log("off");
  bpf::set_up_libbpf_log();
  boost::asio::io_context loop{1};
  jvm::Watch::Options options{config.host};
  const bool measures = config.measure > config.measure.zero();
  options.pressure = jvm::with_room_for(config.pressure, options.sample_interval);
  if (measures) options.pressure.window = std::min(config.measure, options.pressure.window);
  const auto watch = jvm::Watch::open(loop, options);
  if (!watch) return watch.error();
  const probes::Probes probes(loop, {config.variant == Variant::kNode, config.host.proc, {}},
                              [](const process_event&) {});

  Report report{config.variant == Variant::kNode ? "node" : "sidecar", {}, {}};
  report.findings = {check_processes(config.host),
                     check_open_files(),
                     check_other_users(config.variant),
                     check_tier_hsperfdata(),
                     check_tier_memory(),
                     check_container_memory((*watch)->cgroups(), config.variant),
                     check_pressure((*watch)->cgroups().mount),
                     check_pod_names(config.host.log),
                     check_kernel()};
  for (const probes::Status& probe : probes.status()) report.findings.push_back(check_probe(probe, config.variant));
  jvm::Registry& registry = (*watch)->registry();
  if (probes.memory() != nullptr) (*watch)->containers().count_with(*probes.memory());
  std::unique_ptr<jvm::GcWatch> gc;
  if (probes.gc() != nullptr) {
    gc = std::make_unique<jvm::GcWatch>(loop, (*watch)->pool(), *probes.gc(), (*watch)->log());
    gc->follow(registry);
    registry.on_gone = [&gc](const ProcessKey& key) { gc->remove(key); };
  }
  look_around(loop, **watch, options, gc.get(), config.measure);
  for (const auto& [key, jvm] : registry.jvms())
    report.jvms.push_back(to_finding(key, jvm, registry.target(jvm), gc.get(), measures));

  std::cout << (config.json ? to_json(report) : to_table(report)) << std::flush;
  // A read that hangs cannot be waited for.
  const bool gc_stopped = !gc || gc->stop();
  if (!(*watch)->stop() || !gc_stopped) ::_exit(report.sufficient() ? 0 : 2);
  return report.sufficient();
}

}  // namespace manometer::cli
