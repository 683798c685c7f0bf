#include "agent/bpf/uprobe_link.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/libbpf.h>

namespace manometer::bpf {
namespace {

// What follows is of <linux/bpf.h> of Linux 6.6, newer than Debian 12's and its libbpf.
constexpr uint32_t kTraceUprobeMulti = 48;

struct LinkCreateUprobeMulti {
  uint32_t program;
  uint32_t target;
  uint32_t attach_type;
  uint32_t link_flags;
  uint64_t path;
  uint64_t offsets;
  uint64_t counter_offsets;
  uint64_t cookies;
  uint32_t count;
  uint32_t flags;
  uint32_t pid;
  uint32_t pad;
};

}  // namespace

void UprobeLink::Unlink::operator()(bpf_link* link) const {
  ::bpf_link__destroy(link);
}

void UprobeLink::prepare(bpf_program* program) {
  ::bpf_program__set_expected_attach_type(program, static_cast<bpf_attach_type>(kTraceUprobeMulti));
}

Result<UprobeLink> UprobeLink::attach_all(const bpf_program* program, const std::string& path,
                                          const std::vector<Place>& places) {
  std::vector<uint64_t> offsets;
  std::vector<uint64_t> cookies;
  for (const Place& place : places) {
    offsets.push_back(place.offset);
    cookies.push_back(place.cookie);
  }
  LinkCreateUprobeMulti attributes{};
  attributes.program = static_cast<uint32_t>(::bpf_program__fd(program));
  attributes.attach_type = kTraceUprobeMulti;
  attributes.path = reinterpret_cast<uintptr_t>(path.c_str());
  attributes.offsets = reinterpret_cast<uintptr_t>(offsets.data());
  attributes.cookies = reinterpret_cast<uintptr_t>(cookies.data());
  attributes.count = static_cast<uint32_t>(places.size());
  UprobeLink link;
  if (places.empty()) return link;
  link.all_ = UniqueFd(static_cast<int>(::syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes))));
  if (!link.all_) return Error::from_errno("attach to a library");
  return link;
}

Result<UprobeLink> UprobeLink::attach_each(const std::string& path, const std::vector<Place>& places) {
  UprobeLink link;
  for (const Place& place : places) {
    link.each_.emplace_back(::bpf_program__attach_uprobe(place.program, false, -1, path.c_str(), place.offset));
    if (!link.each_.back()) return Error::from_errno("attach to a library");
  }
  return link;
}

}  // namespace manometer::bpf
