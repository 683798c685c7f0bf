#include "agent/jvm/perf_region.h"

#include <algorithm>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>

#include "agent/jvm/vm_structs.h"
#include "agent/node/mapped_file.h"
#include "agent/node/read_file.h"

namespace manometer::jvm {
namespace {

using node::Mapping;

/// HotSpot maps <tmp>/hsperfdata_<user>/<pid>, shared; a deleted one says so after its name. One that watches others,
/// as jps does, maps theirs as well, but only to read.
bool is_perf_data(const Mapping& mapping) {
  return mapping.shared && mapping.writable && mapping.offset == 0 && mapping.inode != 0 &&
         mapping.path.find("/hsperfdata_") != std::string::npos;
}

/// "/tmp/hsperfdata_app/1": the last two parts of a mapping's path below /tmp, which is where HotSpot puts them
/// whatever java.io.tmpdir says. What comes before them is not what the process sees if it is in a chroot.
std::string path_in_root(std::string_view mapped) {
  const size_t directory = mapped.rfind("/hsperfdata_");
  return "tmp" + std::string(mapped.substr(directory));
}

/// Opens a path as the process would, but never outside its root and never through /proc's links.
UniqueFd open_in_root(const node::Process& process, const std::string& path) {
  const UniqueFd root(::openat(process.directory(), "root", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return {};
  open_how how{};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof(how))));
}

/// What an error means for who asked: the process may have ended under our hands.
template <typename Outcome>
Outcome gone_or_refused(const Error& error) {
  if (node::is_gone(error.number())) return Gone{};
  return to_refusal(error);
}

/// Up to `bytes` from the start; less if the file is shorter.
Result<std::vector<std::byte>> read_from_start(const UniqueFd& fd, size_t bytes) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return Error::from_errno("stat performance data");
  std::vector<std::byte> out(std::min(bytes, static_cast<size_t>(status.st_size)));
  size_t used = 0;
  while (used < out.size()) {
    const ssize_t n = ::pread(fd.get(), out.data() + used, out.size() - used, static_cast<off_t>(used));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::from_errno("read performance data");
    if (n == 0) break;  // it was truncated meanwhile
    used += static_cast<size_t>(n);
  }
  out.resize(used);
  return out;
}

}  // namespace

Refusal to_refusal(const Error& error) {
  const bool denied = error.number() == EACCES || error.number() == EPERM;
  return {denied ? Failure::kDenied : Failure::kUnsafe, error.message()};
}

std::string_view to_string(Tier tier) {
  switch (tier) {
    case Tier::kNone:
      return "none";
    case Tier::kHsperfdata:
      return "hsperfdata";
    case Tier::kMemory:
      return "memory";
    case Tier::kUsdt:
      return "usdt";
  }
  return "";
}

std::string_view to_string(Failure failure) {
  switch (failure) {
    case Failure::kStarting:
      return "starting";
    case Failure::kPerfDataOff:
      return "perf_data_off";
    case Failure::kNotHotSpot:
      return "not_hotspot";
    case Failure::kDenied:
      return "denied";
    case Failure::kUnsafe:
      return "unsafe";
    case Failure::kMalformed:
      return "malformed";
    case Failure::kUnresponsive:
      return "unresponsive";
  }
  return "";
}

const Mapping* find_libjvm(const std::vector<Mapping>& maps) {
  const auto found = std::ranges::find_if(maps, [](const Mapping& mapping) {
    return mapping.offset == 0 &&
           (mapping.path.ends_with("/libjvm.so") || mapping.path.ends_with("/libjvm.so (deleted)"));
  });
  return found == maps.end() ? nullptr : &*found;
}

PerfRegion::Opened PerfRegion::open(node::Process process, const std::vector<Mapping>& maps) {
  const auto mapping = std::ranges::find_if(maps, is_perf_data);
  if (mapping == maps.end()) return open_without_file(std::move(process), maps);
  const File by_mapping{node::mapped_file(*mapping), false, mapping->inode, mapping->start};
  PerfRegion region(std::move(process), by_mapping);
  auto fd = region.open_file(by_mapping);
  if (fd) return region;
  const bool may_not_follow = fd.error().number() == EPERM || fd.error().number() == EACCES;
  if (!may_not_follow) return gone_or_refused<Opened>(fd.error());
  const File by_path{path_in_root(mapping->path), true, mapping->inode, mapping->start};
  fd = region.open_file(by_path);
  if (fd) {
    region.source_ = by_path;
    return region;
  }
  const Error by_path_error = std::move(fd).error();
  auto in_memory = std::move(region).open_in_memory(maps);
  // Of two reasons, that of the better tier helps more.
  if (std::holds_alternative<Refusal>(in_memory)) return to_refusal(by_path_error);
  return in_memory;
}

PerfRegion::Opened PerfRegion::open_without_file(node::Process process, const std::vector<Mapping>& maps) {
  auto opened = PerfRegion(std::move(process), File{}).open_in_memory(maps);
  auto* region = std::get_if<PerfRegion>(&opened);
  if (region == nullptr) return opened;
  // A JVM that starts may have mapped its file after `maps` was read.
  const auto maps_now = region->process_.maps();
  if (!maps_now) return to_refusal(maps_now.error());
  if (!*maps_now) return Gone{};
  if (std::ranges::none_of(**maps_now, is_perf_data)) return opened;
  return open(std::move(region->process_), **maps_now);
}

PerfRegion::Opened PerfRegion::open_in_memory(const std::vector<Mapping>& maps) && {
  auto memory = node::ProcessMemory::open(process_);
  if (!memory) return to_refusal(memory.error());
  if (!*memory) return Gone{};
  const Mapping* libjvm = find_libjvm(maps);
  if (libjvm == nullptr) return Refusal{Failure::kNotHotSpot, "it maps no libjvm.so"};
  const auto structs = find_vm_structs(**memory, libjvm->start);
  if (!structs) return gone_or_refused<Opened>(structs.error());
  if (!*structs) return Refusal{Failure::kNotHotSpot, "its libjvm.so exports no gHotSpotVMStructs"};
  const auto found = find_perf_memory(**memory, **structs);
  if (!found) return gone_or_refused<Opened>(found.error());
  if (!*found) return Refusal{Failure::kPerfDataOff, "it keeps no performance data (-XX:-UsePerfData)"};
  const auto [start, capacity] = **found;
  if (capacity < kPerfHeaderBytes || capacity > kMaxPerfBytes)
    return Refusal{Failure::kUnsafe, fmt::format("performance data of {} bytes", capacity)};
  source_ = Memory{**std::move(memory), start, capacity};
  return std::move(*this);
}

Result<UniqueFd> PerfRegion::open_file(const File& file) const {
  const UniqueFd fd = file.below_root ? open_in_root(process_, file.path)
                                      : UniqueFd(::openat(process_.directory(), file.path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd) return Error::from_errno("open performance data");
  return node::reopen_regular(fd, file.inode, kMaxPerfBytes, "performance data");
}

uint64_t PerfRegion::address() const {
  return std::visit([](const auto& source) { return source.start; }, source_);
}

PerfRegion::Read PerfRegion::read(size_t bytes) const {
  bytes = std::min(bytes, kMaxPerfBytes);
  if (const File* file = std::get_if<File>(&source_)) return read_file(*file, bytes);
  const Memory& memory = std::get<Memory>(source_);
  std::vector<std::byte> out(std::min(bytes, memory.capacity));
  const auto read = memory.memory.read(memory.start, out);
  if (read) return out;
  // EIO: unmapped, as a JVM does shortly before it ends.
  return read.error().number() == EIO ? Read(Gone{}) : gone_or_refused<Read>(read.error());
}

PerfRegion::Read PerfRegion::read_file(const File& file, size_t bytes) const {
  const auto fd = open_file(file);
  if (!fd) return gone_or_refused<Read>(fd.error());
  auto read = read_from_start(*fd, bytes);
  if (!read) return to_refusal(read.error());
  return *std::move(read);
}

}  // namespace manometer::jvm
