#include <filesystem>
#include <fstream>
#include <map>

#include <bpf/bpf.h>

#include "agent/base/unique_fd.h"
#include "agent/metrics/buckets.h"
#include "bpf/request.h"
#include "tests/bpf/fine_histogram.h"

namespace manometer::test {
namespace {

/// The BPF maps that a process has open, by name.
std::map<std::string, UniqueFd> open_maps(pid_t pid) {
  std::map<std::string, UniqueFd> maps;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fdinfo")) {
    std::ifstream file(entry.path());
    uint32_t value = 0;
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("map_id:")) continue;
      value = static_cast<uint32_t>(std::stoul(line.substr(line.find(':') + 1)));
      UniqueFd fd(::bpf_map_get_fd_by_id(value));
      bpf_map_info info{};
      __u32 size = sizeof(info);
      if (fd && ::bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0) maps[info.name] = std::move(fd);
    }
  }
  return maps;
}

void add_entry(FineHistogram& sum, const UniqueFd& entries, uint32_t index) {
  request_entry entry{};
  if (::bpf_map_lookup_elem(entries.get(), &index, &entry) != 0) return;
  sum.sum_ns += entry.histogram.sum_ns;
  for (size_t slot = 0; slot < sum.counts.size(); ++slot) sum.counts[slot] += entry.histogram.counts[slot];
}

}  // namespace

Result<FineHistogram> fine_histogram(const Agent& agent, pid_t pid) {
  auto maps = open_maps(agent.pid());
  request_watched watched{};
  if (::bpf_map_lookup_elem(maps["request_process"].get(), &pid, &watched) != 0)
    return Error::from_errno("look for the process in the agent's map");
  uint32_t id = 0;
  if (::bpf_map_lookup_elem(maps["request_targets"].get(), &watched.target, &id) != 0)
    return Error::from_errno("look for its counts");
  const UniqueFd entries(::bpf_map_get_fd_by_id(id));
  bpf_map_info info{};
  __u32 size = sizeof(info);
  if (!entries || ::bpf_obj_get_info_by_fd(entries.get(), &info, &size) != 0)
    return Error::from_errno("open its counts");

  const auto buckets =
      metrics::Buckets::make({metrics::kDefaultClassicSeconds.begin(), metrics::kDefaultClassicSeconds.end()});
  if (!buckets) return buckets.error();
  FineHistogram sum{buckets->bounds_ns(), std::vector<uint64_t>(buckets->bounds_ns().size() + 1), 0};
  for (uint32_t index = REQUEST_ENTRY_DURATIONS; index < info.max_entries; ++index) add_entry(sum, entries, index);
  return sum;
}

}  // namespace manometer::test
