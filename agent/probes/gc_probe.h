#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "agent/base/result.h"
#include "agent/probes/libjvm_sites.h"
#include "bpf/gc.h"

struct bpf_link;
struct bpf_object;

namespace manometer::probes {

/// Measures how long JVMs stand still for their collectors, and how long their threads wait for memory (bpf/gc.bpf.c).
class GcProbe {
 public:
  /// Pauses of one collector for one cause.
  struct Pauses {
    uint32_t series = 0;  // gc_series_key(); 0: of several, for which no series was left
    latency_histogram histogram{};
  };
  struct Unlink {
    void operator()(bpf_link* link) const;
  };
  /// The programs on one libjvm, for as long as it lives.
  using Attachment = std::vector<std::unique_ptr<bpf_link, Unlink>>;

  /// pid_namespace: as for ProcessProbe; bounds_ns: as for RequestProbe; jvms: watched at most.
  static Result<std::unique_ptr<GcProbe>> open(uint32_t pid_namespace, const std::vector<uint64_t>& bounds_ns,
                                               uint32_t jvms);
  ~GcProbe();
  GcProbe(const GcProbe&) = delete;
  GcProbe& operator=(const GcProbe&) = delete;

  /// Counts what happens in this JVM from now on, from 0. An Error: there are too many already.
  Result<void> watch(pid_t pid, const gc_words& words) const;
  void forget(pid_t pid) const;
  /// nullopt: it is not watched.
  std::optional<gc_process> read(pid_t pid) const;
  std::vector<Pauses> read_pauses(pid_t pid) const;

  /// file: a libjvm, with the sites found in it. Safe on any thread; can hang, as its destruction can: the kernel reads
  /// the file, and waits for the address spaces of all who map it.
  Result<Attachment> attach(int file, const LibjvmSites& sites) const;

  /// Waits, and pauses, that found no place.
  uint64_t lost_waits() const;
  uint64_t lost_pauses() const;
  const bpf_object* object() const;

 private:
  struct Bpf;

  explicit GcProbe(std::unique_ptr<Bpf> bpf);

  Result<Attachment> attach_at(const std::string& path, const LibjvmSites& sites) const;

  std::unique_ptr<Bpf> bpf_;
};

}  // namespace manometer::probes
