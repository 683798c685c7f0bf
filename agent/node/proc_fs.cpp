#include "agent/node/proc_fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

#include "agent/base/text.h"
#include "agent/node/read_file.h"

namespace manometer::node {
namespace {

bool parse_range(std::string_view text, Mapping& mapping) {
  const std::string_view start = take_until(text, '-');
  return parse_number(start, mapping.start, 16) && parse_number(text, mapping.end, 16);
}

bool parse_device(std::string_view text, Mapping& mapping) {
  const std::string_view device_major = take_until(text, ':');
  return parse_number(device_major, mapping.device_major, 16) && parse_number(text, mapping.device_minor, 16);
}

/// "7f00-7f01 r-xp 00000000 08:01 42    /usr/lib/libjvm.so"
bool parse_mapping(std::string_view line, Mapping& mapping) {
  const std::string_view range = take_until(line, ' ');
  const std::string_view permissions = take_until(line, ' ');
  const std::string_view offset = take_until(line, ' ');
  const std::string_view device = take_until(line, ' ');
  const std::string_view inode = take_until(line, ' ');
  const size_t path = line.find_first_not_of(' ');
  if (path != std::string_view::npos) mapping.path = line.substr(path);
  if (permissions.size() < 4) return false;
  mapping.readable = permissions[0] == 'r';
  mapping.writable = permissions[1] == 'w';
  mapping.executable = permissions[2] == 'x';
  mapping.shared = permissions[3] == 's';
  return parse_range(range, mapping) && parse_number(offset, mapping.offset, 16) && parse_device(device, mapping) &&
         parse_number(inode, mapping.inode);
}

/// Fields of stat after the process name, which may itself hold blanks and brackets: field 3 is index 0.
std::vector<std::string_view> stat_fields(std::string_view text) {
  const size_t name_end = text.rfind(") ");
  std::vector<std::string_view> fields;
  if (name_end == std::string_view::npos) return fields;
  std::string_view rest = text.substr(name_end + 2);
  while (!rest.empty()) fields.push_back(take_until(rest, ' '));
  return fields;
}

}  // namespace

uint64_t ProcStat::cpu_ns() const {
  constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;
  return cpu_ticks * (kNanosecondsPerSecond / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK)));
}

Result<ProcStat> parse_stat(std::string_view text) {
  // proc(5) numbers: 3 state, 9 flags, 14 utime, 15 stime, 20 num_threads, 22 starttime.
  const auto fields = stat_fields(text);
  ProcStat stat;
  uint64_t user = 0;
  uint64_t system = 0;
  constexpr size_t kFirst = 3;
  if (fields.size() <= 22 - kFirst || fields[0].size() != 1 || !parse_number(fields[9 - kFirst], stat.flags) ||
      !parse_number(fields[14 - kFirst], user) || !parse_number(fields[15 - kFirst], system) ||
      !parse_number(fields[20 - kFirst], stat.threads) || !parse_number(fields[22 - kFirst], stat.start_ticks)) {
    return Error("malformed stat");
  }
  stat.state = fields[0][0];
  stat.cpu_ticks = user + system;
  return stat;
}

Result<std::vector<Mapping>> parse_maps(std::string_view text) {
  std::vector<Mapping> mappings;
  while (!text.empty()) {
    Mapping mapping;
    const std::string_view line = take_until(text, '\n');
    if (!parse_mapping(line, mapping)) return Error("malformed line '" + std::string(line.substr(0, 100)) + "'");
    mappings.push_back(std::move(mapping));
  }
  return mappings;
}

Result<pid_t> parse_namespace_pid(std::string_view status) {
  const size_t at = status.find("\nNSpid:");
  if (at == std::string_view::npos) return Error("no NSpid line");
  status.remove_prefix(at + 1);
  const std::string_view line = take_until(status, '\n');
  pid_t pid = 0;
  if (!parse_number(line.substr(line.find_last_of("\t ") + 1), pid)) return Error("malformed NSpid line");
  return pid;
}

Result<std::vector<CgroupLine>> parse_cgroup(std::string_view text) {
  std::vector<CgroupLine> lines;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    take_until(line, ':');
    const std::string_view controllers = take_until(line, ':');
    if (!line.starts_with('/')) return Error("malformed line without a path");
    lines.push_back({std::string(controllers), std::string(line)});
  }
  return lines;
}

bool CgroupLine::has(std::string_view controller) const {
  return has_word(controllers, ',', controller);
}

Result<std::optional<ProcStat>> Process::stat() const {
  return read_and_parse(directory(), "stat", parse_stat);
}

Result<std::optional<pid_t>> Process::namespace_pid() const {
  return read_and_parse(directory(), "status", parse_namespace_pid);
}

Result<std::optional<std::vector<CgroupLine>>> Process::cgroup() const {
  return read_and_parse(directory(), "cgroup", parse_cgroup);
}

Result<std::optional<std::vector<Mapping>>> Process::maps() const {
  return read_and_parse(directory(), "maps", parse_maps);
}

Result<ProcFs> ProcFs::open(const std::string& root) {
  UniqueFd fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return Error::from_errno("open " + root);
  return ProcFs(std::move(fd));
}

Result<std::vector<pid_t>> ProcFs::pids() const {
  // A descriptor of its own: fdopendir takes it over, and its position must start at 0.
  const int fd = ::openat(root_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(fd < 0 ? nullptr : ::fdopendir(fd), ::closedir);
  if (!dir) return Error::from_errno("list processes");
  std::vector<pid_t> pids;
  while (const dirent* entry = ::readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe): this DIR is ours alone
    pid_t pid = 0;
    if (parse_number(std::string_view(entry->d_name), pid)) pids.push_back(pid);
  }
  return pids;
}

Result<std::optional<Process>> ProcFs::process(pid_t pid) const {
  UniqueFd fd(::openat(root_.get(), std::to_string(pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (fd) return std::optional<Process>(std::in_place, pid, std::move(fd));
  if (is_gone(errno)) return std::optional<Process>();
  return Error::from_errno("open process " + std::to_string(pid));
}

Result<std::optional<std::vector<CgroupLine>>> ProcFs::cgroup(const Process& process) const {
  auto lines = process.cgroup();
  if (!lines || !*lines) return lines;
  for (CgroupLine& line : **lines) {
    if (line.is_unified()) line.path = from_root(origins_.unified, line.path);
    if (line.has("memory")) line.path = from_root(origins_.memory, line.path);
  }
  return lines;
}

}  // namespace manometer::node
