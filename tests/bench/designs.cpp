#include "tests/bench/designs.h"

#include <stdexcept>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "agent/bpf/skeleton.h"
#include "agent/metrics/buckets.h"
#include "agent/probes/request_probe.h"
#include "agent/requests/mark.h"
#include "empty.skel.h"
#include "syscalls.skel.h"

namespace manometer::bench {
namespace {

using probes::RequestProbe;

template <typename Value>
Value must(Result<Value> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return *std::move(result);
}

class Requests : public Attached {
 public:
  Requests(pid_t pid, int cgroup)
      : probe_(must(RequestProbe::open(probe_options()))),
        target_(must(probe_->add(pid))),
        attachment_(must(probe_->attach(cgroup))) {}

  std::optional<uint64_t> observed() const override;
  const bpf_object* object() const override { return probe_->object(); }
  void mark_sockets() const;

 private:
  std::unique_ptr<RequestProbe> probe_;
  RequestProbe::Target target_;
  RequestProbe::Attachment attachment_;
};

std::optional<uint64_t> Requests::observed() const {
  uint64_t sum = 0;
  for (const auto& series : must(probe_->read(target_)).durations) {
    for (const uint64_t count : series.histogram.counts) sum += count;
  }
  return sum;
}

void Requests::mark_sockets() const {
  const auto proc = must(node::ProcFs::open("/proc"));
  const auto process = must(proc.process(target_.pid));
  if (!process) throw std::runtime_error("the server is gone");
  const auto marked = requests::mark_sockets(*process, {probe_->sockets_map(), target_.id, target_.index}, {});
  if (!marked) throw std::runtime_error(marked.error().message());
}

/// It watches a process that serves nothing, so what it observes is not asked for.
class Unwatched : public Attached {
 public:
  Unwatched() : requests_(::getpid(), cgroup2_root().get()) {}

 private:
  Requests requests_;
};

class Syscalls : public Attached {
 public:
  explicit Syscalls(pid_t pid) : bpf_(must(bpf::Skeleton<syscalls_bpf>::open())) {
    const auto attached = bpf_.load_and_attach();
    if (!attached) throw std::runtime_error(attached.error().message());
    constexpr uint32_t kWatched = 1;
    ::bpf_map_update_elem(::bpf_map__fd(bpf_->maps.processes), &pid, &kWatched, BPF_ANY);
  }

  std::optional<uint64_t> observed() const override {
    uint64_t sum = 0;
    for (const uint64_t count : bpf_->bss->durations) sum += count;
    return sum;
  }

 private:
  bpf::Skeleton<syscalls_bpf> bpf_;
};

class Empty : public Attached {
 public:
  explicit Empty(int cgroup) : bpf_(must(bpf::Skeleton<empty_bpf>::open())) {
    ::bpf_program__set_autoattach(bpf_->progs.empty_in, false);
    ::bpf_program__set_autoattach(bpf_->progs.empty_out, false);
    const auto attached = bpf_.load_and_attach();
    if (!attached) throw std::runtime_error(attached.error().message());
    for (const bpf_program* program : {bpf_->progs.empty_in, bpf_->progs.empty_out})
      links_.emplace_back(::bpf_program__attach_cgroup(program, cgroup));
  }

  const bpf_object* object() const override { return bpf_->obj; }

 private:
  bpf::Skeleton<empty_bpf> bpf_;
  std::vector<std::unique_ptr<bpf_link, RequestProbe::Unlink>> links_;
};

}  // namespace

probes::RequestProbe::Options probe_options() {
  const auto& classic = metrics::kDefaultClassicSeconds;
  RequestProbe::Options options;
  options.bounds_ns = must(metrics::Buckets::make({classic.begin(), classic.end()})).bounds_ns();
  return options;
}

std::unique_ptr<Attached> attach_request_probe(const Server& server, const ServerCgroup& cgroup) {
  auto requests = std::make_unique<Requests>(server.pid(), cgroup.fd());
  requests->mark_sockets();
  return requests;
}

std::unique_ptr<Attached> attach_to_root() {
  return std::make_unique<Unwatched>();
}

std::unique_ptr<Attached> attach_syscalls(const Server& server) {
  return std::make_unique<Syscalls>(server.pid());
}

std::unique_ptr<Attached> attach_empty(const ServerCgroup& cgroup) {
  return std::make_unique<Empty>(cgroup.fd());
}

std::unique_ptr<Attached> attach_empty_to_root() {
  return std::make_unique<Empty>(cgroup2_root().get());
}

}  // namespace manometer::bench
