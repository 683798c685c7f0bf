#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct bpf_object;

namespace manometer::bpf {

/// What one of our programs has cost. The kernel counts only while kernel.bpf_stats_enabled is 1; else both are 0.
struct ProgramStats {
  std::string program;
  uint64_t runs = 0;
  uint64_t run_ns = 0;
};

std::vector<ProgramStats> program_stats(const bpf_object* object);

}  // namespace manometer::bpf
