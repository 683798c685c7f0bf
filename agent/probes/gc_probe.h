#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "agent/base/result.h"
#include "agent/bpf/uprobe_link.h"
#include "agent/probes/libjvm_sites.h"
#include "bpf/gc.h"
#include "bpf/gc_pools.h"

struct bpf_object;

namespace manometer::probes {

/// Measures how long JVMs stand still for their collectors, how long their threads wait for memory, and what is left in
/// use (bpf/gc.bpf.c).
class GcProbe {
 public:
  /// Pauses of one collector for one cause.
  struct Pauses {
    uint32_t series = 0;  // gc_series_key(); 0: of several, for which no series was left
    latency_histogram histogram{};
  };
  /// The programs on one libjvm, for as long as it lives.
  using Attachment = bpf::UprobeLink;

  /// pid_namespace: as for ProcessProbe; bounds_ns: as for RequestProbe; jvms: watched at most.
  static Result<std::unique_ptr<GcProbe>> open(uint32_t pid_namespace, const std::vector<uint64_t>& bounds_ns,
                                               uint32_t jvms);
  ~GcProbe();
  GcProbe(const GcProbe&) = delete;
  GcProbe& operator=(const GcProbe&) = delete;

  /// Counts what happens in this JVM from now on, from 0. An Error: there are too many already.
  Result<void> watch(pid_t pid, const gc_words& words) const;
  /// Takes other words for one that is watched already. What happens in just this moment may not be counted.
  void set_words(pid_t pid, const gc_words& words) const;
  void forget(pid_t pid) const;
  /// Keeps what its collections leave from now on; arguments: of its library's sites. An Error: as of watch().
  Result<void> watch_pools(pid_t pid, const std::vector<gc_argument>& arguments) const;
  void forget_pools(pid_t pid) const;
  /// nullopt: it is not watched for that.
  std::optional<gc_pools> read_pools(pid_t pid) const;
  /// Threads of it that were killed while they waited would keep their places, and lend their beginning to a later
  /// wait. Safe on any thread; takes 25 ms if all of GC_THREADS wait.
  void forget_waits(pid_t pid) const;
  /// nullopt: it is not watched.
  std::optional<gc_process> read(pid_t pid) const;
  /// process: what read() of it said.
  std::vector<Pauses> read_pauses(pid_t pid, const gc_process& process) const;

  /// file: a libjvm, with the sites found in it. Safe on any thread; can hang, as its destruction can: the kernel reads
  /// the file, and waits for the address spaces of all who map it.
  Result<Attachment> attach(int file, const LibjvmSites& sites) const;
  /// The same for memory pools alone, which others leave out: all JVMs of the library pay for it.
  Result<Attachment> attach_pools(int file, const LibjvmSites& sites) const;

  /// Whether places of a library are attached to together, which is faster to end.
  bool at_once() const { return at_once_; }
  /// Has only those programs loaded that it takes for that, or without.
  static void choose_programs(bpf_object* object, bool at_once);

  /// Waits, pauses, and pools that found no place.
  uint64_t lost_waits() const;
  uint64_t lost_pauses() const;
  uint64_t lost_pools() const;
  const bpf_object* object() const;

 private:
  struct Bpf;

  GcProbe(std::unique_ptr<Bpf> bpf, bool at_once);

  /// at_once: by links of many places.
  static Result<std::unique_ptr<GcProbe>> open(uint32_t pid_namespace, const std::vector<uint64_t>& bounds_ns,
                                               uint32_t jvms, bool at_once);
  Result<Attachment> attach_at(const std::string& path, const LibjvmSites& sites) const;
  Result<Attachment> attach_places(const std::string& path, const std::vector<bpf::UprobeLink::Place>& places) const;

  std::unique_ptr<Bpf> bpf_;
  bool at_once_;
};

}  // namespace manometer::probes
