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
  auto mount = options.host.cgroup.empty() ? node::find_cgroup_mount() : node::cgroup_mount_at(options.host.cgroup);
  if (!mount) return std::move(mount).error().with_context("--host-cgroup");
  return std::unique_ptr<Watch>(new Watch(loop, options, *std::move(proc), *std::move(mount)));
}

Watch::Watch(boost::asio::io_context& loop, const Options& options, node::ProcFs proc,
             std::optional<node::CgroupMount> mount)
    : pool_(loop),
      proc_(std::move(proc)),
      mount_(std::move(mount)),
      containers_(mount_, process_log_),
      registry_(loop, pool_, containers_, process_log_,
                {options.sample_interval, ticks_since_boot(), options.pressure}),
      discovery_(loop, pool_, proc_, registry_, log_, options.scan_interval) {}

void Watch::start() {
  discovery_.start();
  registry_.start();
}

}  // namespace manometer::jvm
