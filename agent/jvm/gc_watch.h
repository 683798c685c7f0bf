#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/blocking_pool.h"
#include "agent/base/log.h"
#include "agent/base/types.h"
#include "agent/base/unique_fd.h"
#include "agent/jvm/libjvm_file.h"
#include "agent/jvm/registry.h"
#include "agent/probes/gc_probe.h"

namespace manometer::jvm {

/// How long JVMs stand still for their collectors, and their threads wait for memory, as the kernel sees it; and what
/// collections leave, of JVMs that do not say so themselves: those without performance data, ZGC and Shenandoah. Puts
/// the probe on each libjvm once, while one of its JVMs is known. Lives on the loop.
class GcWatch {
 public:
  /// All of them must outlive it.
  GcWatch(boost::asio::io_context& loop, BlockingPool& pool, const probes::GcProbe& probe, LogOnce& log)
      : pool_(pool), libraries_pool_(loop, kMaxThreads), probe_(probe), log_(log) {}

  /// As of BlockingPool.
  bool stop() { return libraries_pool_.stop(); }
  size_t stuck() const { return libraries_pool_.stuck(); }

  /// Adds the JVMs that it looks at from now on, and lends it what is known of their waits. Who forgets a JVM calls
  /// remove().
  void follow(Registry& registry);
  void remove(const ProcessKey& key);

  /// Since it is measured; nullopt: it is not.
  std::optional<gc_process> stalls(const ProcessKey& key) const;

  /// nullopt: the JVM says so itself, has not collected since it is watched, or its library does not tell.
  std::optional<PoolReading> pools(const ProcessKey& key) const;

  /// Of stops since they are measured.
  struct Stops {
    std::string_view source;  // "usdt" or "symbols"
    gc_process process;
    std::vector<probes::GcProbe::Pauses> pauses;
  };
  /// nullopt: they are not measured.
  std::optional<Stops> stops(const ProcessKey& key) const;
  /// Whether it is still to be seen what is measured; not for longer than some seconds.
  bool is_pending(const ProcessKey& key) const;
  /// Whether stops() is there; that it is not shows nowhere else.
  bool tells_stops(const ProcessKey& key) const;
  bool is_any_pending() const;

 private:
  /// What is measured, and by what.
  struct Attached {
    probes::GcProbe::Attachment attachment;
    UniqueFd file;
    probes::LibjvmSites sites;
  };
  struct Library {
    uint64_t number = 0;  // tells one that came back after it was given up
    size_t users = 0;
    bool pending = true;
    std::optional<Attached> attached;
    size_t pool_users = 0;  // those of which it is to tell what collections leave
    bool pools_pending = false;
    std::optional<probes::GcProbe::Attachment> pools;
  };
  struct Known {
    uint64_t number = 0;  // the same of a JVM
    gc_words words = {};
    std::string collector = {};  // empty: not known
    bool with_pools = false;     // it does not say what its collections leave
    bool uses_pools = false;     // and counts among its library's pool_users
    bool pending = true;
    TimePoint added_at = {};
    std::optional<LibjvmKey> library = {};
  };

  void add(const ProcessKey& key, const PerfReader& reader);
  void opened(const ProcessKey& key, uint64_t number, Result<std::optional<LibjvmFile>> opened);
  void use(const ProcessKey& key, LibjvmFile opened);
  void attach(const LibjvmKey& key, UniqueFd file);
  static Result<Attached> attach_to(const probes::GcProbe& probe, UniqueFd file);
  void attached(const LibjvmKey& key, uint64_t number, Result<Attached> attached);
  void detach(std::optional<probes::GcProbe::Attachment> attachment);
  void start(const ProcessKey& key, Known& jvm);
  void start_pools(const ProcessKey& key, Known& jvm);
  void stop_pools(Known& jvm);
  void attach_pools(const LibjvmKey& key, Library& library);
  void attached_pools(const LibjvmKey& key, uint64_t number, Result<probes::GcProbe::Attachment> pools);
  const Attached* attached_to(const Known& jvm) const;
  static bool tells_stalls(const Attached& attached, std::string_view collector);
  void warn(const Error& error);

  // Each takes the kernel some hundredths of a second when we end, and who has many makes them himself.
  static constexpr size_t kMaxLibraries = 128;
  // A file that hangs keeps one; each waits for the kernel, and reads of JVMs must not wait for them.
  static constexpr size_t kMaxThreads = 32;

  BlockingPool& pool_;
  BlockingPool libraries_pool_;
  const probes::GcProbe& probe_;
  LogOnce& log_;
  std::map<ProcessKey, Known> jvms_;
  std::map<LibjvmKey, Library> libraries_;
  uint64_t last_number_ = 0;
};

}  // namespace manometer::jvm
