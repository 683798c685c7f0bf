#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "agent/base/result.h"
#include "bpf/memory.h"

struct bpf_object;

namespace manometer::probes {

/// Counts how tasks of memory cgroups stall for memory, and are killed for want of it (bpf/memory.bpf.c).
class MemoryProbe {
 public:
  static Result<std::unique_ptr<MemoryProbe>> open();
  ~MemoryProbe();
  MemoryProbe(const MemoryProbe&) = delete;
  MemoryProbe& operator=(const MemoryProbe&) = delete;

  /// Counts for the cgroup with this id from 0 on. An Error: there are MEMORY_CGROUPS already.
  Result<void> add(uint64_t cgroup);
  /// Forgets it and its counts.
  void remove(uint64_t cgroup);
  /// nullopt: it was not added.
  std::optional<memory_counts> read(uint64_t cgroup) const;

  /// Stalls and kills that found a map full.
  uint64_t lost() const;
  const bpf_object* object() const;

 private:
  struct Bpf;

  explicit MemoryProbe(std::unique_ptr<Bpf> bpf);
  int cgroups() const;

  std::unique_ptr<Bpf> bpf_;
};

}  // namespace manometer::probes
