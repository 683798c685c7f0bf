#include "agent/bpf/program_stats.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

namespace manometer::bpf {

std::vector<ProgramStats> program_stats(const bpf_object* object) {
  std::vector<ProgramStats> out;
  const bpf_program* program = nullptr;
  while ((program = ::bpf_object__next_program(object, const_cast<bpf_program*>(program))) != nullptr) {
    bpf_prog_info info{};
    __u32 size = sizeof(info);
    if (::bpf_obj_get_info_by_fd(::bpf_program__fd(program), &info, &size) != 0) continue;
    out.push_back({::bpf_program__name(program), info.run_cnt, info.run_time_ns});
  }
  return out;
}

}  // namespace manometer::bpf
