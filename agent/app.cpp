#include "agent/app.h"

#include <csignal>
#include <ctime>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>

#include "agent/base/blocking_pool.h"
#include "agent/base/log.h"
#include "agent/bpf/skeleton.h"
#include "agent/collectors/all.h"
#include "agent/container/index.h"
#include "agent/http/scrape.h"
#include "agent/http/server.h"
#include "agent/jvm/discovery.h"
#include "agent/jvm/registry.h"
#include "agent/node/capabilities.h"
#include "agent/node/cgroup_mount.h"
#include "agent/node/proc_fs.h"
#include "agent/probes/probes.h"

namespace manometer {
namespace {

uint64_t nanoseconds_per_tick() {
  return 1'000'000'000ULL / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
}

/// Now, in the unit of ProcessKey::start_ticks.
uint64_t boot_ticks() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const uint64_t ns = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000ULL + static_cast<uint64_t>(now.tv_nsec);
  return ns / nanoseconds_per_tick();
}

Result<void> check_rights(Variant variant) {
  if (variant == Variant::kSidecar) return {};
  const auto may_look = node::has_capability(node::Capability::kSysPtrace);
  if (!may_look) return may_look.error();
  if (*may_look) return {};
  return Error(
      "the node variant looks into other users' processes, which needs root (or CAP_SYS_PTRACE and those that "
      "`manometer check` lists): run it with sudo, or with --variant sidecar to watch only your own JVMs");
}

}  // namespace

/// In the order of their dependence; destroyed the other way round.
struct App::Parts {
  Parts(const RunConfig& config, node::ProcFs proc_fs, std::optional<node::CgroupMount> mount)
      : pool(loop),
        proc(std::move(proc_fs)),
        containers(std::move(mount), log),
        jvms(loop, pool, containers, log, {config.sample_interval, boot_ticks()}),
        discovery(loop, pool, proc, jvms, log, config.scan_interval),
        probes(loop, {config.bpf && config.variant == Variant::kNode, config.host.proc},
               [this](const process_event& event) { on_process(event); }),
        scrape(
            collectors::make_collectors({containers, jvms, discovery, probes, pool}),
            [this] { return discovery.scanned() && jvms.all_read(); }, log),
        signals(loop, SIGINT, SIGTERM),
        standard_input(loop) {}

  void on_process(const process_event& event) {
    if (event.kind == PROCESS_EXEC) {
      discovery.on_exec(static_cast<pid_t>(event.pid));
    } else {
      discovery.on_exit({static_cast<pid_t>(event.pid), event.start_boottime_ns / nanoseconds_per_tick()});
    }
  }

  LogOnce log;
  boost::asio::io_context loop{1};
  BlockingPool pool;
  node::ProcFs proc;
  container::Index containers;
  jvm::Registry jvms;
  jvm::Discovery discovery;
  probes::Probes probes;
  http::Scrape scrape;
  std::unique_ptr<http::Server> server;
  boost::asio::signal_set signals;
  boost::asio::posix::stream_descriptor standard_input;
};

App::App(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
App::~App() = default;

Result<std::unique_ptr<App>> App::make(const RunConfig& config) {
  const auto allowed = check_rights(config.variant);
  if (!allowed) return allowed.error();
  auto proc = node::ProcFs::open(config.host.proc);
  if (!proc) return std::move(proc).error().with_context("--host-proc");
  auto mount = config.host.cgroup.empty() ? node::find_cgroup_mount() : node::cgroup_mount_at(config.host.cgroup);
  if (!mount) return std::move(mount).error().with_context("--host-cgroup");
  if (!*mount) spdlog::warn("no memory controller is mounted: container memory is not measured");
  bpf::set_up_libbpf_log();
  auto parts = std::make_unique<Parts>(config, *std::move(proc), *std::move(mount));
  auto server = http::Server::open(
      parts->loop, config.listen,
      [scrape = &parts->scrape](const http::Request& request) { return scrape->respond(request); }, http::Limits{});
  if (!server) return std::move(server).error().with_context("--listen " + config.listen);
  parts->server = *std::move(server);
  if (config.stop_with_stdin) parts->standard_input.assign(::dup(STDIN_FILENO));
  return std::unique_ptr<App>(new App(std::move(parts)));
}

void App::run() {
  Parts& parts = *parts_;
  for (const probes::Status& probe : parts.probes.status()) {
    if (!probe.attached) spdlog::warn("probe {} does not work, the agent does without: {}", probe.name, probe.error);
  }
  const auto stop = [&parts](const std::string& why) {
    spdlog::info("stopping: {}", why);
    parts.loop.stop();
  };
  parts.signals.async_wait([stop](const boost::system::error_code& error, int signal) {
    if (!error) stop(signal == SIGINT ? "SIGINT" : "SIGTERM");
  });
  std::array<char, 1> ignored{};
  if (parts.standard_input.is_open()) {
    parts.standard_input.async_read_some(
        boost::asio::buffer(ignored),
        [stop](const boost::system::error_code&, size_t) { stop("end of standard input"); });
  }
  parts.discovery.start();
  parts.jvms.start();
  const auto endpoint = parts.server->endpoint();
  spdlog::info("listening on {}:{}", endpoint.address().to_string(), endpoint.port());
  parts.loop.run();
  if (parts.pool.stop()) return;
  // A thread in a read that never ends cannot be joined, and must not keep us.
  spdlog::warn("{} reads hang; leaving them behind", parts.pool.stuck());
  spdlog::shutdown();
  ::_exit(0);
}

}  // namespace manometer
