#include "agent/probes/request_probe.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "agent/bpf/histogram.h"
#include "agent/bpf/ring_reader.h"
#include "agent/bpf/skeleton.h"
#include "request.skel.h"

namespace manometer::probes {
namespace {

uint32_t entry_count(uint32_t max_series) {
  return REQUEST_ENTRY_DURATIONS + max_series + 1;  // and the rest
}

UniqueFd make_array(uint32_t entries) {
  return UniqueFd(::bpf_map_create(BPF_MAP_TYPE_ARRAY, "request_entries", sizeof(uint32_t), sizeof(request_entry),
                                   entries, nullptr));
}

Result<void> update(int map, const void* key, const void* value, const char* what) {
  if (::bpf_map_update_elem(map, key, value, BPF_ANY) == 0) return {};
  return Error::from_errno(what);
}

Result<void> add_routes(int map, const std::vector<std::string>& routes) {
  for (uint32_t number = 1; const std::string& route : routes) {
    request_route_key key{};
    key.bits = static_cast<uint32_t>(8 * route.size());
    std::memcpy(key.path, route.data(), std::min(route.size(), sizeof(key.path)));
    auto added = update(map, &key, &number, "add route");
    if (!added) return added;
    ++number;
  }
  return {};
}

}  // namespace

struct RequestProbe::Bpf {
  explicit Bpf(bpf::Skeleton<request_bpf> opened) : skeleton(std::move(opened)) {}

  bpf::Skeleton<request_bpf> skeleton;
  std::unique_ptr<bpf_link, Unlink> scan;
};

void RequestProbe::Unlink::operator()(bpf_link* link) const {
  ::bpf_link__destroy(link);
}

RequestProbe::RequestProbe(std::unique_ptr<Bpf> bpf, const Options& options, bool by_cookie)
    : bpf_(std::move(bpf)), max_series_(options.max_series), by_cookie_(by_cookie), used_(options.targets) {}
RequestProbe::~RequestProbe() = default;

Result<std::unique_ptr<RequestProbe>> RequestProbe::open(const Options& options) {
  auto probe = open(options, false);
  if (probe) return probe;
  auto older = open(options, true);
  if (older || older.error().message() == probe.error().message()) return older;
  return std::move(older).error().with_context(probe.error().message() + "; as before Linux 5.11");
}

Result<std::unique_ptr<RequestProbe>> RequestProbe::open(const Options& options, bool by_cookie) {
  auto opened = bpf::Skeleton<request_bpf>::open();
  if (!opened) return std::move(opened).error();
  auto bpf = std::make_unique<Bpf>(*std::move(opened));
  request_bpf& object = *bpf->skeleton.operator->();
  object.rodata->agent_pid_namespace = options.pid_namespace;
  object.rodata->by_cookie = by_cookie ? 1 : 0;
  object.rodata->has_routes = options.routes.empty() ? 0 : 1;
  object.rodata->max_series = options.max_series;
  const auto set = bpf::set_slot_bounds(object.rodata->slot_bounds, options.bounds_ns);
  if (!set) return set.error();
  if (by_cookie) ::bpf_map__set_max_entries(object.maps.request_sockets_by_cookie, options.connections);
  for (bpf_map* map : {object.maps.request_targets, object.maps.request_processes, object.maps.request_gauges})
    ::bpf_map__set_max_entries(map, options.targets);
  // The arrays inside have to be like one that is there at the load.
  const UniqueFd like = make_array(entry_count(options.max_series));
  if (!like || ::bpf_map__set_inner_map_fd(object.maps.request_targets, like.get()) != 0)
    return Error::from_errno("make a map for counts");
  ::bpf_program__set_autoattach(object.progs.request_scan, false);
  const auto attached = bpf->skeleton.load_and_attach();
  if (!attached) return attached.error();
  const auto routed = add_routes(::bpf_map__fd(object.maps.request_routes), options.routes);
  if (!routed) return routed.error();

  bpf_iter_link_info info{};
  info.map.map_fd = static_cast<uint32_t>(::bpf_map__fd(object.maps.request_sockets));
  bpf_iter_attach_opts iterator{};
  iterator.sz = sizeof(iterator);
  iterator.link_info = &info;
  iterator.link_info_len = sizeof(info);
  bpf->scan.reset(::bpf_program__attach_iter(object.progs.request_scan, &iterator));
  if (!bpf->scan) return Error::from_errno("attach the iterator over sockets");
  return std::unique_ptr<RequestProbe>(new RequestProbe(std::move(bpf), options, by_cookie));
}

Result<RequestProbe::Target> RequestProbe::add(pid_t pid) {
  const auto free = std::ranges::find(used_, false);
  if (free == used_.end())
    return Error("requests of " + std::to_string(used_.size()) + " processes are counted already");
  Target target{++last_id_, static_cast<uint32_t>(free - used_.begin()), pid, make_array(entry_count(max_series_))};
  if (!target.entries) return Error::from_errno("make a map for counts");
  request_entry head{};
  head.target.id = target.id;
  constexpr uint32_t kHead = REQUEST_ENTRY_TARGET;
  const auto& maps = bpf_->skeleton->maps;
  const int entries = target.entries.get();
  const request_watched watched{target.id, target.index, 0};
  auto done = update(entries, &kHead, &head, "name a target");
  if (done) done = update(::bpf_map__fd(maps.request_targets), &target.index, &entries, "add a target");
  if (done) done = update(::bpf_map__fd(maps.request_processes), &pid, &watched, "watch a process");
  if (!done) return done.error();
  *free = true;
  return target;
}

void RequestProbe::remove(const Target& target) {
  const auto& maps = bpf_->skeleton->maps;
  request_watched watched{};
  const int processes = ::bpf_map__fd(maps.request_processes);
  // The pid may be another process's by now.
  if (::bpf_map_lookup_elem(processes, &target.pid, &watched) == 0 && watched.target_id == target.id)
    ::bpf_map_delete_elem(processes, &target.pid);
  ::bpf_map_delete_elem(::bpf_map__fd(maps.request_targets), &target.index);
  used_[target.index] = false;
}

Result<RequestProbe::Attachment> RequestProbe::attach(int cgroup) const {
  Attachment attachment;
  const auto& programs = bpf_->skeleton->progs;
  // Egress first: a request that is seen while its response is not would be in flight for ever.
  attachment.out.reset(::bpf_program__attach_cgroup(programs.request_out, cgroup));
  if (!attachment.out) return Error::from_errno("attach to a cgroup's egress");
  attachment.in.reset(::bpf_program__attach_cgroup(programs.request_in, cgroup));
  if (!attachment.in) return Error::from_errno("attach to a cgroup's ingress");
  return attachment;
}

Result<std::unique_ptr<bpf::RingReader>> RequestProbe::tell_listeners(boost::asio::io_context& loop,
                                                                      std::function<void(pid_t)> on_listen) const {
  if (!by_cookie_) return std::unique_ptr<bpf::RingReader>();
  const int ring = ::bpf_map__fd(bpf_->skeleton->maps.request_listens);
  return bpf::RingReader::open(loop, ring, [on_listen = std::move(on_listen)](std::span<const std::byte> record) {
    uint32_t pid = 0;
    std::memcpy(&pid, record.data(), sizeof(pid));
    on_listen(static_cast<pid_t>(pid));
  });
}

int RequestProbe::sockets_map() const {
  return ::bpf_map__fd(bpf_->skeleton->maps.request_sockets);
}

Result<RequestProbe::Counts> RequestProbe::read(const Target& target) const {
  std::vector<uint32_t> keys(entry_count(max_series_));
  std::vector<request_entry> entries(keys.size());
  // Those with a series, and the rest at the end, which is read only if there is any.
  const auto get = [&](uint32_t index) {
    return ::bpf_map_lookup_elem(target.entries.get(), &index, &entries[index]) == 0;
  };
  Counts counts;
  for (uint32_t index = 0; index < REQUEST_ENTRY_DURATIONS; ++index) {
    if (!get(index)) return Error::from_errno("read counts of requests");
  }
  counts.target = entries[REQUEST_ENTRY_TARGET].target;
  for (uint32_t stage = 0; stage < REQUEST_STAGES; ++stage)
    counts.stages[stage] = entries[REQUEST_ENTRY_STAGES + stage].histogram;
  for (uint32_t i = 0; i <= max_series_; ++i) {
    const uint32_t key = i < max_series_ ? counts.target.series[i] : 0;
    if (i < max_series_ ? key == 0 : counts.target.other == 0) continue;
    const uint32_t index = REQUEST_ENTRY_DURATIONS + i;
    if (!get(index)) return Error::from_errno("read counts of requests");
    counts.durations.push_back(
        {request_method_of(key), request_code_of(key), request_route_of(key), entries[index].histogram});
  }
  return counts;
}

Result<RequestProbe::Scan> RequestProbe::scan() const {
  const uint64_t number = ++bpf_->skeleton->bss->gauges_scan;
  const UniqueFd iterator(::bpf_iter_create(::bpf_link__fd(bpf_->scan.get())));
  if (!iterator) return Error::from_errno("iterate over sockets");
  Scan scan;
  std::array<request_listener, 64> listeners{};
  size_t held = 0;  // bytes: a read may end within a listener
  for (;;) {
    auto* const bytes = reinterpret_cast<char*>(listeners.data());
    const ssize_t count = ::read(iterator.get(), bytes + held, sizeof(listeners) - held);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error::from_errno("iterate over sockets");
    if (count == 0) break;
    held += static_cast<size_t>(count);
    const size_t whole = held / sizeof(request_listener);
    scan.listeners.insert(scan.listeners.end(), listeners.begin(), listeners.begin() + whole);
    held -= whole * sizeof(request_listener);
    std::memmove(bytes, bytes + whole * sizeof(request_listener), held);
  }
  const int gauges = ::bpf_map__fd(bpf_->skeleton->maps.request_gauges);
  for (uint32_t index = 0; index < used_.size(); ++index) {
    request_gauges found{};
    if (!used_[index] || ::bpf_map_lookup_elem(gauges, &index, &found) != 0) continue;
    if (found.scan == number) scan.gauges.emplace(found.target_id, found);
  }
  return scan;
}

uint64_t RequestProbe::lost_connections() const {
  return bpf_->skeleton->bss->request_connections_lost;
}

const bpf_object* RequestProbe::object() const {
  return bpf_->skeleton->obj;
}

}  // namespace manometer::probes
