#pragma once
// The threads of a JVM that collect garbage, known by their names, and what CPU time they took.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/types.h"
#include "agent/node/proc_fs.h"

namespace manometer::jvm {

/// True for what HotSpot calls such threads. comm: cut at 15 bytes. collector: JvmIdentity's.
bool names_gc_thread(std::string_view comm, std::string_view collector);

/// True if what lies below the stack is what HotSpot puts below a Java thread's: pages without access, more than the
/// one that glibc puts below any other. nullopt if the pointer is in no mapping. maps: ascending, as the kernel prints
/// them.
std::optional<bool> has_java_guard(std::span<const node::Mapping> maps, uint64_t stack_pointer, uint64_t page_bytes);

/// Adds up the CPU time of one JVM's GC threads, those that ended included. The container chooses the names of its Java
/// threads, so a thread of such a name counts only once its stack has shown that it is none of them, which it does at a
/// sample at which it does not run. What still passes is a native thread that the application gave such a name, one of
/// its own code or, by /proc/self/task, another of the JVM's; and a Java thread without its guard, which HotSpot takes
/// away when the thread ends, and in part at a stack overflow.
class GcThreads {
 public:
  struct Limits {
    size_t threads = 4096;  // a listing of so many takes 20 ms
    size_t named = 512;     // each is read at every sample; a JVM on 256 CPUs has 400
  };

  GcThreads() : GcThreads(Limits()) {}
  explicit GcThreads(Limits limits) : limits_(limits) {}

  /// stat: of the process, now. nullopt if no thread is known to collect (JDK 8 names none), and while one that may
  /// took too much time to be left out. An Error says why it cannot be known; it is not tried again for a while. Can
  /// hang (node::Process::maps): for the blocking pool only.
  Result<std::optional<uint64_t>> cpu_ns(const node::Process& process, const node::ProcStat& stat,
                                         std::string_view collector, TimePoint now);

 private:
  enum class Kind { kUndecided, kCollects, kJava };
  struct Thread {
    Kind kind = Kind::kUndecided;
    uint64_t start_ticks = 0;  // ids are reused
    uint64_t cpu_ns = 0;
    uint64_t uncounted_ns = 0;
    std::optional<uint64_t> stack_pointer;
  };

  Result<void> update(const node::Process& process, const node::ProcStat& stat, std::string_view collector,
                      TimePoint now);
  Result<void> list(const node::Process& process, std::string_view collector);
  Result<void> look_at(const node::Process& process, pid_t id, std::string_view collector);
  Result<void> forget_gone_java_threads(const node::Process& process);
  Result<void> read_threads(const node::Process& process);
  Result<bool> find_at_rest(const node::Process& process);
  Result<void> decide(const node::Process& process);
  std::optional<uint64_t> sum() const;

  Limits limits_;
  std::map<pid_t, Thread> named_;
  std::vector<pid_t> others_;  // ascending
  std::optional<TimePoint> all_looked_at_;
  uint32_t threads_listed_ = 0;
  bool found_any_ = false;
  uint64_t ended_ns_ = 0;
  std::optional<Error> error_;
  TimePoint failed_at_;
};

}  // namespace manometer::jvm
