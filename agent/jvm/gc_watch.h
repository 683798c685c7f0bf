#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <sys/types.h>

#include "agent/base/blocking_pool.h"
#include "agent/base/log.h"
#include "agent/base/types.h"
#include "agent/base/unique_fd.h"
#include "agent/node/proc_fs.h"
#include "agent/probes/gc_probe.h"

namespace manometer::jvm {

/// How long the threads of JVMs wait for memory. Puts the probe on each libjvm once, while one of its JVMs is known.
/// Lives on the loop.
class GcWatch {
 public:
  /// All of them must outlive it.
  GcWatch(BlockingPool& pool, const probes::GcProbe& probe, LogOnce& log) : pool_(pool), probe_(probe), log_(log) {}

  void add(const ProcessKey& key, const node::Process& process);
  void remove(const ProcessKey& key);

  /// Since it is measured; nullopt: it is not.
  std::optional<gc_process> read(const ProcessKey& key) const;

 private:
  struct LibraryKey {
    dev_t device = 0;
    ino_t inode = 0;

    auto operator<=>(const LibraryKey&) const = default;
  };
  struct Opened {
    UniqueFd file;
    LibraryKey key;
  };
  struct Library {
    uint64_t number = 0;  // tells one that came back after it was given up
    size_t users = 0;
    std::optional<probes::GcProbe::Attachment> attachment;
  };

  /// nullopt: the process is gone, or has no libjvm any more.
  static Result<std::optional<Opened>> open_libjvm(const node::Process& process);
  void use(const ProcessKey& key, Opened opened);
  void attach(const LibraryKey& key, UniqueFd file);
  void attached(const LibraryKey& key, uint64_t number, Result<probes::GcProbe::Attachment> attachment);
  void detach(probes::GcProbe::Attachment attachment);
  void start(const ProcessKey& key);
  void warn(const Error& error);

  BlockingPool& pool_;
  const probes::GcProbe& probe_;
  LogOnce& log_;
  std::map<ProcessKey, std::optional<LibraryKey>> jvms_;
  std::map<LibraryKey, Library> libraries_;
  uint64_t last_number_ = 0;
};

}  // namespace manometer::jvm
