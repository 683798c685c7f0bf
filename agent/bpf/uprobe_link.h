#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"

struct bpf_link;
struct bpf_program;

namespace manometer::bpf {

/// One program at one or more places of a file, in all processes that map it, until its destruction. That can hang, as
/// attach() can: the kernel reads the file, and waits for the address spaces of all who map it.
class UprobeLink {
 public:
  /// Has to be called before the program is loaded.
  static void prepare(bpf_program* program);

  /// offsets: in the file. With a link of many places (Linux 6.6) that takes PERFMON; before, one perf event for each
  /// place takes SYS_ADMIN on kernels from July 2025 on, stable ones included.
  static Result<UprobeLink> attach(const bpf_program* program, const std::string& path,
                                   std::span<const uint64_t> offsets);

 private:
  struct Unlink {
    void operator()(bpf_link* link) const;
  };

  UniqueFd multi_;
  std::vector<std::unique_ptr<bpf_link, Unlink>> single_;  // where the kernel has no link of many places
};

}  // namespace manometer::bpf
