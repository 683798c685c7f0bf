#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"

struct bpf_link;
struct bpf_program;

namespace manometer::bpf {

/// Programs at places of a file, in all processes that map it, until its destruction. That can hang, as attaching can:
/// the kernel reads the file, and waits for the address spaces of all who map it.
class UprobeLink {
 public:
  struct Place {
    uint64_t offset = 0;  // in the file
    uint64_t cookie = 0;  // of bpf_get_attach_cookie()
    const bpf_program* program = nullptr;
  };

  /// Has to be called before the load of a program for attach_all().
  static void prepare(bpf_program* program);

  /// One program at all places, from Linux 6.6 on. Takes PERFMON.
  static Result<UprobeLink> attach_all(const bpf_program* program, const std::string& path,
                                       const std::vector<Place>& places);

  /// Each place's own program, in their order, without cookies. Takes SYS_ADMIN on kernels from July 2025 on, stable
  /// ones included; and each takes its time to be detached.
  static Result<UprobeLink> attach_each(const std::string& path, const std::vector<Place>& places);

 private:
  struct Unlink {
    void operator()(bpf_link* link) const;
  };

  UniqueFd all_;
  std::vector<std::unique_ptr<bpf_link, Unlink>> each_;
};

}  // namespace manometer::bpf
