#include "agent/probes/process_probe.h"

#include <cstring>
#include <sys/stat.h>

#include "agent/bpf/skeleton.h"
#include "process.skel.h"

namespace manometer::probes {

struct ProcessProbe::Bpf {
  bpf::Skeleton<process_bpf> skeleton;
};

ProcessProbe::ProcessProbe(std::unique_ptr<Bpf> bpf) : bpf_(std::move(bpf)) {}
ProcessProbe::~ProcessProbe() = default;

Result<std::unique_ptr<ProcessProbe>> ProcessProbe::open(boost::asio::io_context& loop, uint32_t pid_namespace,
                                                         OnEvent on_event) {
  auto skeleton = bpf::Skeleton<process_bpf>::open();
  if (!skeleton) return std::move(skeleton).error();
  (*skeleton)->rodata->agent_pid_namespace = pid_namespace;
  const auto attached = skeleton->load_and_attach();
  if (!attached) return attached.error();
  std::unique_ptr<ProcessProbe> probe(new ProcessProbe(std::make_unique<Bpf>(*std::move(skeleton))));
  const auto on_record = [on_event = std::move(on_event)](std::span<const std::byte> record) {
    process_event event;
    std::memcpy(&event, record.data(), sizeof(event));
    on_event(event);
  };
  const int ring = ::bpf_map__fd(probe->bpf_->skeleton->maps.process_events);
  auto reader = bpf::RingReader::open(loop, ring, on_record);
  if (!reader) return std::move(reader).error();
  probe->reader_ = *std::move(reader);
  return probe;
}

uint64_t ProcessProbe::lost() const {
  return bpf_->skeleton->bss->process_events_lost;
}
const bpf_object* ProcessProbe::object() const {
  return bpf_->skeleton->obj;
}

uint32_t pid_namespace_of(const std::string& proc_root) {
  constexpr ino_t kInitial = 0xEFFFFFFC;  // PROC_PID_INIT_INO, include/linux/proc_ns.h
  struct stat status {};
  // Its pid 1 is in the namespace that the mount shows.
  if (::stat((proc_root + "/1/ns/pid").c_str(), &status) != 0 || status.st_ino == kInitial) return 0;
  return static_cast<uint32_t>(status.st_ino);
}

}  // namespace manometer::probes
