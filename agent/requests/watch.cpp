#include "agent/requests/watch.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/node/cgroup2.h"
#include "agent/requests/mark.h"
#include "agent/requests/outermost.h"

namespace manometer::requests {
namespace {

/// The process's cgroup in the cgroup2 tree: the root where that tree has none for it.
std::string unified_path(const std::vector<node::CgroupLine>& lines) {
  const auto found = std::ranges::find(lines, "", &node::CgroupLine::controllers);
  return found == lines.end() ? "/" : found->path;
}

}  // namespace

Watch::Watch(boost::asio::io_context& loop, BlockingPool& pool, container::Index& containers,
             probes::RequestProbe& probe, UniqueFd cgroups, LogOnce& log, Options options)
    : timer_(loop),
      pool_(pool),
      containers_(containers),
      probe_(probe),
      cgroups_(std::move(cgroups)),
      log_(log),
      options_(std::move(options)) {
  auto listeners = probe_.tell_listeners(loop, [this](pid_t pid) { on_listen(pid); });
  if (listeners) {
    listeners_ = *std::move(listeners);
  } else {
    log_.warn("listeners", "new server sockets are found by the scan only: " + listeners.error().message());
  }
  look_again();
}

std::string Watch::make_pid(const FoundProcess& found, const std::string& container) const {
  std::string pid = std::to_string(found.namespace_pid);
  // Two pid namespaces in one cgroup: rare, but a series must have one process only.
  const container::Target wanted = containers_.target(container, pid);
  const bool taken = std::ranges::any_of(processes_, [&](const auto& other) { return target(other.second) == wanted; });
  return taken ? fmt::format("{}-{}", pid, found.key.pid) : pid;
}

/// False for one that there is no room for. The JVMs' registry has its own limit, and has acquired their containers.
bool Watch::admit(Reason reason, const FoundProcess& found) {
  using enum Refusals::Limit;
  if (reason == Reason::kIsJvm) return true;
  const auto is_matching = [](const auto& entry) { return entry.second.reasons.contains(Reason::kMatchesPattern); };
  const auto matching = static_cast<size_t>(std::ranges::count_if(processes_, is_matching));
  const auto known = processes_.find(found.key);
  const bool has_room = matching < options_.most_matching || (known != processes_.end() && is_matching(*known));
  const bool has_container = containers_.has_room_for(found.cgroup);
  if (has_room && has_container) {
    refusals_.remove(found.key.pid);
    return true;
  }
  refusals_.add(has_room ? kContainers : kWatched, has_room ? containers_.most() : options_.most_matching, found.key);
  return false;
}

bool Watch::add(Reason reason, const FoundProcess& found, std::optional<std::string> pid) {
  if (!admit(reason, found)) return false;
  if (const auto known = processes_.find(found.key); known != processes_.end()) {
    known->second.reasons.insert(reason);
    known->second.cgroup = unified_path(found.cgroup);  // it may have moved
    attach_links();
    return true;
  }
  auto counts = probe_.add(found.key.pid);
  if (!counts) {
    log_.warn("requests", "requests are not measured: " + counts.error().message());
    return true;
  }
  std::string container = containers_.acquire(found.cgroup, found.process);
  if (!pid) pid = make_pid(found, container);
  const auto [added, fresh] = processes_.emplace(found.key, Process{std::move(container),
                                                                    *std::move(pid),
                                                                    {reason},
                                                                    unified_path(found.cgroup),
                                                                    found.process,
                                                                    *std::move(counts)});
  attach_links();
  mark_sockets(found.key, added->second);
  return true;
}

void Watch::remove(Reason reason, const ProcessKey& key) {
  if (reason == Reason::kMatchesPattern) refusals_.remove(key);
  const auto found = processes_.find(key);
  if (found == processes_.end()) return;
  found->second.reasons.erase(reason);
  if (!found->second.reasons.empty()) return;
  const std::string cgroup = found->second.cgroup;
  end(found->second);
  containers_.release(found->second.container);
  processes_.erase(found);
  attach_links();
  mark_shared(cgroup);
}

/// Its connections may be closed by now, which has been counted, or are about to be, which nobody would see.
void Watch::end(const Process& process) {
  const auto scan = probe_.scan();
  probe_.remove(process.counts);
  const auto counts = probe_.read(process.counts);
  if (!scan || !counts) {
    const Error& error = scan ? counts.error() : scan.error();
    log_.warn("ended", "what became of the requests of a process that ended is not counted: " + error.message());
    return;
  }
  for (size_t i = 0; i < ended_.unmatched.size(); ++i) ended_.unmatched[i] += counts->target.unmatched[i];
  const auto gauges = scan->gauges.find(process.counts.id);
  if (gauges != scan->gauges.end()) ended_.in_flight += gauges->second.in_flight;
}

/// A cgroup's links also see the cgroups below it, and see a packet only once if no link is below another.
void Watch::attach_links() {
  std::set<std::string> wanted;
  for (const auto& [key, process] : processes_) wanted.insert(process.cgroup);
  const std::set<std::string> outer = outermost(wanted);
  for (const std::string& path : outer) {
    if (links_.contains(path) || unattached_.contains(path)) continue;
    if (auto attachment = attach(path)) {
      links_.emplace(path, *std::move(attachment));
    } else {
      unattached_.insert(path);
    }
  }
  std::erase_if(links_, [&](const auto& link) { return !outer.contains(link.first); });
  std::erase_if(unattached_, [&](const std::string& path) { return !outer.contains(path); });
}

std::optional<probes::RequestProbe::Attachment> Watch::attach(const std::string& path) {
  const auto cgroup = node::open_cgroup(cgroups_.get(), path);
  if (cgroup && !*cgroup) return std::nullopt;  // gone, and its processes with it
  auto attachment = cgroup ? probe_.attach((*cgroup)->get()) : cgroup.error();
  if (attachment) return *std::move(attachment);
  log_.warn("requests in " + path, fmt::format("requests in cgroup {} are not measured: {}", printable(path),
                                               printable(attachment.error().message())));
  return std::nullopt;
}

void Watch::mark_sockets(const ProcessKey& key, const Process& process) {
  std::set<uint64_t> known;
  for (const auto& [other, watched] : processes_) known.insert(watched.counts.id);
  ++marking_;
  pool_.run(
      [map = probe_.sockets_map(), id = process.counts.id, index = process.counts.index, known = std::move(known),
       process = process.process] {
        return requests::mark_sockets(process, {map, id, index}, known);
      },
      [this, pid = key.pid](const Result<void>& marked) {
        --marking_;
        if (!marked)
          log_.warn("sockets", fmt::format("process {}: connections older than the agent are not measured: {}", pid,
                                           printable(marked.error().message())));
      });
}

void Watch::on_listen(pid_t pid) {
  for (const auto& [key, process] : processes_) {
    if (pid == REQUEST_LISTENS_SOME_PID || pid == key.pid) mark_sockets(key, process);
  }
}

/// What the process that ended listened on, others may listen on too: servers with several processes share sockets.
void Watch::mark_shared(const std::string& cgroup) {
  for (const auto& [key, process] : processes_) {
    if (process.cgroup == cgroup) mark_sockets(key, process);
  }
}

/// A connection that waits to be accepted has no descriptor to find it by, so new processes are looked at twice; and
/// all of them always, where the kernel does not mark itself what they listen on later. What kept us from a cgroup may
/// be gone.
void Watch::look_again() {
  unattached_.clear();
  attach_links();
  for (auto& [key, process] : processes_) {
    if (process.is_new || probe_.by_cookie()) mark_sockets(key, process);
    process.is_new = false;
  }
  timer_.expires_after(options_.scan_interval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) look_again();
  });
}

}  // namespace manometer::requests
