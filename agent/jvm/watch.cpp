#include "agent/jvm/watch.h"

#include <ctime>
#include <unistd.h>

namespace manometer::jvm {
namespace {

constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;

uint64_t ticks_since_boot() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return to_ticks(static_cast<uint64_t>(now.tv_sec) * kNanosecondsPerSecond + static_cast<uint64_t>(now.tv_nsec));
}

}  // namespace

uint64_t to_ticks(uint64_t since_boot_ns) {
  return since_boot_ns / (kNanosecondsPerSecond / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK)));
}

Result<std::unique_ptr<Watch>> Watch::open(boost::asio::io_context& loop, const Options& options) {
  auto proc = node::ProcFs::open(options.host.proc);
  if (!proc) return std::move(proc).error().with_context("--host-proc");
  auto cgroups = node::find_node_cgroups(options.host);
  if (!cgroups) return std::move(cgroups).error().with_context("--host-cgroup");
  proc->set_cgroup_origins(cgroups->origins);
  return std::unique_ptr<Watch>(new Watch(loop, options, *std::move(proc), *std::move(cgroups)));
}

Watch::Watch(boost::asio::io_context& loop, const Options& options, node::ProcFs proc, node::NodeCgroups cgroups)
    : pool_(loop),
      proc_(std::move(proc)),
      cgroups_(std::move(cgroups)),
      containers_(cgroups_.mount, process_log_, options.limits.containers),
      names_(loop, pool_, containers_, log_, {options.host.log, options.scan_interval}),
      registry_(loop, pool_, containers_, process_log_, refusals_,
                {options.sample_interval, ticks_since_boot(), options.pressure, options.limits.jvms}),
      discovery_(loop, pool_, proc_, registry_, log_, options.scan_interval) {}

void Watch::start() {
  names_.start();
  discovery_.start();
  registry_.start();
}

}  // namespace manometer::jvm
