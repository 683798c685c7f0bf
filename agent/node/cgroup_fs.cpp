#include "agent/node/cgroup_fs.h"

#include <algorithm>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/base/text.h"
#include "agent/node/cgroup_origin.h"
#include "agent/node/flat_keyed.h"
#include "agent/node/read_file.h"

namespace manometer::node {
namespace {

Result<uint64_t> parse_bytes(std::string_view text) {
  uint64_t value = 0;
  if (!parse_number(take_until(text, '\n'), value)) return Error("not a number");
  return value;
}

/// Opens root + path without following a ".." in path, which a process outside our cgroup namespace has.
UniqueFd open_below(const std::string& root, const std::string& path) {
  if (is_outside_namespace(path)) {
    errno = ENOENT;
    return {};
  }
  return UniqueFd(::open((root + path).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

size_t depth_of(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  return static_cast<size_t>(std::ranges::count(path, '/'));
}

std::optional<uint64_t> without(std::optional<uint64_t> total, std::optional<uint64_t> part) {
  if (!total || !part) return std::nullopt;
  return *total > *part ? *total - *part : 0;
}

/// memory.stat's "kernel", or before 5.18 the sum of what it is made of.
std::optional<uint64_t> kernel_bytes(const FlatKeyed& stat) {
  if (const auto kernel = stat.get("kernel")) return kernel;
  std::optional<uint64_t> sum;
  for (const char* part : {"kernel_stack", "pagetables", "percpu", "slab"}) {
    if (const auto bytes = stat.get(part)) sum = sum.value_or(0) + *bytes;
  }
  return sum;
}

}  // namespace

Result<std::optional<uint64_t>> parse_limit(std::string_view text) {
  const std::string_view line = take_until(text, '\n');
  if (line == "max") return std::optional<uint64_t>();
  uint64_t value = 0;
  if (!parse_number(line, value)) return Error("malformed limit");
  constexpr uint64_t kNone = 1ULL << 62U;
  return value >= kNone ? std::nullopt : std::optional(value);
}

Result<std::optional<MemoryCgroup>> MemoryCgroup::open(const CgroupMount& mount, const std::string& path,
                                                       const std::string& unified_path) {
  UniqueFd memory = open_below(mount.memory, path);
  if (!memory) {
    if (is_gone(errno)) return std::optional<MemoryCgroup>();
    return Error::from_errno("open " + mount.memory + path);
  }
  UniqueFd pressure;
  // The root's would be the whole machine's.
  const bool has_own = !mount.unified.empty() && !unified_path.empty() && unified_path != "/";
  if (has_own) pressure = open_below(mount.unified, unified_path);
  return std::optional(MemoryCgroup(mount.version, depth_of(path), std::move(memory), std::move(pressure)));
}

std::optional<uint64_t> MemoryCgroup::id() const {
  struct statfs file_system {};
  struct stat directory {};
  if (::fstatfs(memory_.get(), &file_system) != 0 || ::fstat(memory_.get(), &directory) != 0) return std::nullopt;
  // Files that stand for a tree have inodes that mean other things.
  if (file_system.f_type != CGROUP_SUPER_MAGIC && file_system.f_type != CGROUP2_SUPER_MAGIC) return std::nullopt;
  if (::faccessat(memory_.get(), "memory.stat", F_OK, 0) != 0) return std::nullopt;
  return directory.st_ino;
}

bool MemoryCgroup::is_same(const MemoryCgroup& other) const {
  struct stat ours {};
  struct stat theirs {};
  // As long as both are held, none has the other's inode.
  if (::fstat(memory_.get(), &ours) != 0 || ::fstat(other.memory_.get(), &theirs) != 0) return false;
  return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

Result<std::optional<uint64_t>> MemoryCgroup::number(const char* file) const {
  return read_and_parse(memory_.get(), file, parse_bytes);
}

Result<std::optional<uint64_t>> MemoryCgroup::effective_limit(const char* file) const {
  std::optional<uint64_t> lowest;
  std::string name = file;
  for (size_t level = 0; level <= depth_; ++level, name.insert(0, "../")) {
    const auto limit = read_and_parse(memory_.get(), name, parse_limit);
    if (!limit) return limit.error();
    if (*limit && **limit) lowest = std::min(lowest.value_or(UINT64_MAX), ***limit);
  }
  return lowest;
}

Result<void> MemoryCgroup::read_v1(MemoryUsage& usage) const {
  // libcgroup's tree and the kernel's own hierarchical_memory_limit know only what our cgroup namespace shows.
  const auto limit = effective_limit("memory.limit_in_bytes");
  const auto current = number("memory.usage_in_bytes");
  const auto kernel = number("memory.kmem.usage_in_bytes");
  const auto failures = number("memory.failcnt");
  const auto stat = read_and_parse(memory_.get(), "memory.stat", parse_flat_keyed);
  const auto oom = read_and_parse(memory_.get(), "memory.oom_control", parse_flat_keyed);
  for (const auto* number : {&limit, &current, &kernel, &failures}) {
    if (!number->ok()) return number->error();
  }
  if (!stat) return stat.error();
  if (!oom) return oom.error();
  usage.limit_bytes = *limit;
  usage.usage_bytes = *current;
  usage.kernel_bytes = *kernel;
  usage.max_events = *failures;
  if (*stat) {
    usage.working_set_bytes = without(*current, (*stat)->get("total_inactive_file"));
    usage.anon_bytes = (*stat)->get("total_rss");
    usage.shmem_bytes = (*stat)->get("total_shmem");
    usage.major_faults = (*stat)->get("total_pgmajfault");
  }
  if (*oom) usage.oom_kill_events = (*oom)->get("oom_kill");
  return {};
}

Result<void> MemoryCgroup::read_v2(MemoryUsage& usage) const {
  const auto limit = effective_limit("memory.max");
  const auto current = number("memory.current");
  const auto stat = read_and_parse(memory_.get(), "memory.stat", parse_flat_keyed);
  const auto events = read_and_parse(memory_.get(), "memory.events", parse_flat_keyed);
  if (!limit) return limit.error();
  if (!current) return current.error();
  if (!stat) return stat.error();
  if (!events) return events.error();
  usage.limit_bytes = *limit;
  usage.usage_bytes = *current;
  if (*stat) {
    usage.working_set_bytes = without(*current, (*stat)->get("inactive_file"));
    usage.anon_bytes = (*stat)->get("anon");
    usage.shmem_bytes = (*stat)->get("shmem");
    usage.kernel_bytes = kernel_bytes(**stat);
    usage.major_faults = (*stat)->get("pgmajfault");
  }
  if (*events) {
    usage.low_events = (*events)->get("low");
    usage.high_events = (*events)->get("high");
    usage.max_events = (*events)->get("max");
    usage.oom_events = (*events)->get("oom");
    usage.oom_kill_events = (*events)->get("oom_kill");
  }
  return {};
}

Result<std::optional<MemoryUsage>> MemoryCgroup::read() const {
  if (::faccessat(memory_.get(), "cgroup.procs", F_OK, 0) != 0) return std::optional<MemoryUsage>();
  MemoryUsage usage;
  const auto read = version_ == CgroupVersion::kV1 ? read_v1(usage) : read_v2(usage);
  if (!read) return read.error();
  if (pressure_) {
    const auto pressure = read_and_parse(pressure_.get(), "memory.pressure", parse_psi);
    // EOPNOTSUPP: the kernel has PSI switched off.
    if (!pressure && pressure.error().number() != EOPNOTSUPP) return pressure.error();
    if (pressure) usage.pressure = *pressure;
  }
  return std::optional(usage);
}

}  // namespace manometer::node
