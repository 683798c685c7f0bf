#pragma once
// Finds a JVM's performance data from outside and reads them without trusting the container: never by a path that could
// lead out of it, never a file that is not mapped by this very JVM, never by mmap (a truncated file would kill us).

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/base/result.h"
#include "agent/jvm/hsperf.h"
#include "agent/node/proc_fs.h"
#include "agent/node/process_memory.h"

namespace manometer::jvm {

/// How the performance data are read, best first (design section 3). Exported as the label `tier`.
enum class Tier { kNone, kHsperfdata, kMemory, kUsdt };
std::string_view to_string(Tier tier);

/// Why a JVM's data cannot be read. Exported as the label `reason`.
enum class Failure {
  kStarting,      // its data are not complete yet
  kPerfDataOff,   // -XX:-UsePerfData
  kNotHotSpot,    // another JVM, or no JVM at all behind the name libjvm.so
  kDenied,        // we lack the right
  kUnsafe,        // not a regular file of sensible size that this JVM maps, or memory that cannot be read
  kMalformed,     // not performance data
  kUnresponsive,  // a read does not come back
};
inline constexpr std::array kFailures{Failure::kStarting,    Failure::kPerfDataOff, Failure::kNotHotSpot,
                                      Failure::kDenied,      Failure::kUnsafe,      Failure::kMalformed,
                                      Failure::kUnresponsive};
std::string_view to_string(Failure failure);

/// A failure with its details for the log.
struct Refusal {
  Failure failure;
  std::string detail;
};
/// kDenied for errors of rights, else kUnsafe.
Refusal to_refusal(const Error& error);

/// The process, or what of it we read, is gone.
struct Gone {};

/// Where one JVM's performance data are. All it does can hang: for the blocking pool only.
class PerfRegion {
 public:
  using Opened = std::variant<PerfRegion, Gone, Refusal>;
  using Read = std::variant<std::vector<std::byte>, Gone, Refusal>;

  /// Tries the tiers in their order. maps: the process's mappings now, with libjvm among them.
  static Opened open(node::Process process, const std::vector<node::Mapping>& maps);

  /// The first `bytes` of the region, or all of it if it is shorter.
  Read read(size_t bytes) const;

  /// Where the JVM has it in its own memory.
  uint64_t address() const;

  Tier tier() const { return std::holds_alternative<File>(source_) ? Tier::kHsperfdata : Tier::kMemory; }

 private:
  /// A file to open anew for every read: an open one would keep a dead container's file system busy.
  struct File {
    std::string path;
    bool below_root;  // path is one of the process's own, else it is below its /proc directory
    uint64_t inode;   // what the process maps: no other file will do
    uint64_t start;   // where
  };
  struct Memory {
    node::ProcessMemory memory;
    uint64_t start;
    size_t capacity;
  };

  PerfRegion(node::Process process, std::variant<File, Memory> source)
      : process_(std::move(process)), source_(std::move(source)) {}

  Result<UniqueFd> open_file(const File& file) const;
  Read read_file(const File& file, size_t bytes) const;
  static Opened open_without_file(node::Process process, const std::vector<node::Mapping>& maps);
  Opened open_in_memory(const std::vector<node::Mapping>& maps) &&;

  node::Process process_;
  std::variant<File, Memory> source_;
};

/// The mapping of the first byte of libjvm.so; nullptr: it is not a JVM (or not yet).
const node::Mapping* find_libjvm(const std::vector<node::Mapping>& maps);

}  // namespace manometer::jvm
