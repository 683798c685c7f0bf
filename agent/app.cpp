#include "agent/app.h"

#include <array>
#include <csignal>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>

#include "agent/base/descriptor_limit.h"
#include "agent/base/log.h"
#include "agent/bpf/skeleton.h"
#include "agent/collectors/all.h"
#include "agent/http/scrape.h"
#include "agent/http/server.h"
#include "agent/jvm/gc_watch.h"
#include "agent/jvm/watch.h"
#include "agent/node/capabilities.h"
#include "agent/node/cgroup2.h"
#include "agent/probes/probes.h"
#include "agent/requests/process_finder.h"
#include "agent/requests/watch.h"

namespace manometer {
namespace {

Result<void> check_rights(Variant variant) {
  if (variant == Variant::kSidecar) return {};
  const auto may_look = node::has_capability(node::Capability::kSysPtrace);
  if (!may_look) return may_look.error();
  if (*may_look) return {};
  return Error(
      "the node variant looks into other users' processes, which needs root or CAP_SYS_PTRACE: run it with sudo, or "
      "with --variant sidecar to watch only your own JVMs (`manometer check` tells more)");
}

}  // namespace

/// In the order of their dependence; destroyed the other way round.
struct App::Parts {
  explicit Parts(const RunConfig& config)
      : variant(config.variant), signals(loop, SIGINT, SIGTERM), standard_input(loop) {
    if (config.stop_with_stdin) standard_input.assign(::dup(STDIN_FILENO));
  }

  void on_process(const process_event& event) const {
    const auto pid = static_cast<pid_t>(event.pid);
    if (event.kind == PROCESS_EXEC) {
      watch->discovery().on_exec(pid);
      if (finder) finder->on_exec(pid);
    } else {
      const ProcessKey key{pid, jvm::to_ticks(event.start_boottime_ns)};
      watch->discovery().on_exit(key);
      if (finder) finder->on_exit(key);
    }
  }

  /// Without the probe, or a cgroup2 tree to put it on, requests stay unmeasured.
  Result<void> watch_requests(const RunConfig& config) {
    using requests::Watch;
    probes::RequestProbe* const probe = probes->request();
    if (probe == nullptr) {
      if (config.routes.empty() && config.watch.empty()) return {};
      return Error("--route and --watch do nothing without the request probe");
    }
    auto cgroups = node::open_cgroup2_root(watch->cgroups().mount, config.host.proc);
    if (!cgroups) return std::move(cgroups).error();
    requests =
        std::make_unique<Watch>(loop, watch->pool(), watch->containers(), *probe, *std::move(cgroups), watch->log(),
                                Watch::Options{config.routes, config.scan_interval, config.limits.watched});
    watch->registry().on_found = [this](const jvm::FoundJvm& found, const jvm::Jvm& jvm) {
      requests->add(Watch::Reason::kIsJvm, {found.key, found.namespace_pid, found.cgroup, found.process}, jvm.pid);
    };
    requests::ProcessFinder::Options options{{}, config.scan_interval};
    for (const std::string& text : config.watch) {
      auto pattern = requests::parse_watch_pattern(text);
      if (!pattern) return std::move(pattern).error().with_context("--watch");
      options.patterns.push_back(*std::move(pattern));
    }
    finder = std::make_unique<requests::ProcessFinder>(
        loop, watch->pool(), watch->proc(), watch->log(), std::move(options),
        requests::ProcessFinder::Callbacks{
            [this](const requests::FoundProcess& found) {
              return requests->add(Watch::Reason::kMatchesPattern, found);
            },
            [this](const ProcessKey& key) { requests->remove(Watch::Reason::kMatchesPattern, key); }});
    return {};
  }

  void watch_gc() {
    if (probes->gc() == nullptr) return;
    gc = std::make_unique<jvm::GcWatch>(loop, watch->pool(), *probes->gc(), watch->log());
    gc->follow(watch->registry());
  }

  void on_jvm_gone(const ProcessKey& key) const {
    if (requests) requests->remove(requests::Watch::Reason::kIsJvm, key);
    if (gc) gc->remove(key);
  }

  Variant variant;
  boost::asio::io_context loop{1};
  boost::asio::signal_set signals;
  boost::asio::posix::stream_descriptor standard_input;
  std::unique_ptr<jvm::Watch> watch;
  std::optional<metrics::Buckets> buckets;
  std::unique_ptr<probes::Probes> probes;
  std::unique_ptr<jvm::GcWatch> gc;                 // nullptr: not measured
  std::unique_ptr<requests::Watch> requests;        // the same
  std::unique_ptr<requests::ProcessFinder> finder;  // the same
  std::unique_ptr<http::Scrape> scrape;
  std::unique_ptr<http::Server> server;
};

App::App(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
App::~App() = default;

Result<std::unique_ptr<App>> App::make(const RunConfig& config) {
  const auto allowed = check_rights(config.variant);
  if (!allowed) return allowed.error();
  if (const auto raised = raise_descriptor_limit(); !raised) spdlog::warn("{}", raised.error().message());
  auto parts = std::make_unique<Parts>(config);
  auto watch = jvm::Watch::open(
      parts->loop, {config.host, config.sample_interval, config.scan_interval, config.pressure, config.limits});
  if (!watch) return std::move(watch).error();
  parts->watch = *std::move(watch);
  // Before the probes, which take longer: a busy port is the user's to hear about at once.
  auto server = http::Server::open(
      parts->loop, config.listen,
      [parts = parts.get()](const http::Request& request) { return parts->scrape->respond(request); }, http::Limits{});
  if (!server) return std::move(server).error().with_context("--listen " + config.listen);
  parts->server = *std::move(server);
  bpf::set_up_libbpf_log();
  auto buckets = metrics::Buckets::make(config.buckets);
  if (!buckets) return std::move(buckets).error().with_context("--buckets");
  parts->buckets = *std::move(buckets);
  const probes::Probes::Options options{
      config.bpf && config.variant == Variant::kNode,
      config.host.proc,
      {parts->buckets->bounds_ns(), config.routes, static_cast<uint32_t>(config.max_series)},
      config.limits};
  parts->probes = std::make_unique<probes::Probes>(
      parts->loop, options, [parts = parts.get()](const process_event& event) { parts->on_process(event); });
  if (auto* const memory = parts->probes->memory()) parts->watch->containers().count_with(*memory);
  const auto requests = parts->watch_requests(config);
  if (!requests) spdlog::warn("requests are not measured: {}", printable(requests.error().message()));
  parts->watch_gc();
  jvm::Watch& watching = *parts->watch;
  watching.registry().on_gone = [parts = parts.get()](const ProcessKey& key) { parts->on_jvm_gone(key); };
  parts->scrape = std::make_unique<http::Scrape>(
      collectors::make_collectors({watching.containers(), watching.registry(), watching.discovery(),
                                   watching.refusals(), *parts->probes, watching.pool(), *parts->buckets,
                                   parts->gc.get(), parts->requests.get(), parts->finder.get()}),
      [parts = parts.get()] { return parts->watch->ready() && (!parts->finder || parts->finder->scanned()); },
      *parts->server, watching.log(), config.profile);
  return std::unique_ptr<App>(new App(std::move(parts)));
}

void App::stop_on_signals() {
  const auto stop = [this](const char* why) {
    spdlog::info("stopping: {}", why);
    parts_->loop.stop();
  };
  parts_->signals.async_wait([stop](const boost::system::error_code& error, int signal) {
    if (!error) stop(signal == SIGINT ? "SIGINT" : "SIGTERM");
  });
  if (!parts_->standard_input.is_open()) return;
  static constexpr auto kEnd = boost::asio::posix::stream_descriptor::wait_error;
  parts_->standard_input.async_wait(kEnd, [stop](const boost::system::error_code&) { stop("end of standard input"); });
}

void App::run() {
  for (const probes::Status& probe : parts_->probes->status()) {
    if (!probe.attached) spdlog::warn("probe {} does not work, the agent does without: {}", probe.name, probe.error);
  }
  const node::NodeCgroups& cgroups = parts_->watch->cgroups();
  if (!cgroups.mount) spdlog::warn("no memory controller is mounted: container memory is not measured");
  if (cgroups.hidden && parts_->variant == Variant::kNode) spdlog::warn("{}", *cgroups.hidden);
  stop_on_signals();
  parts_->watch->start();
  if (parts_->finder) parts_->finder->start();
  const auto endpoint = parts_->server->endpoint();
  spdlog::info("listening on {}:{}", endpoint.address().to_string(), endpoint.port());
  parts_->loop.run();
  const bool gc_stopped = !parts_->gc || parts_->gc->stop();
  if (parts_->watch->stop() && gc_stopped) return;
  // A thread in a read that does not end cannot be joined, and must not keep us.
  const size_t stuck = parts_->watch->pool().stuck() + (parts_->gc ? parts_->gc->stuck() : 0);
  spdlog::warn("{} reads hang; leaving them behind", stuck);
  spdlog::shutdown();
  ::_exit(0);
}

}  // namespace manometer
