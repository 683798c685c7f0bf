#include "tests/support/bpf_objects.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sys/stat.h>
#include <system_error>

#include <bpf/bpf.h>

#include "agent/base/text.h"
#include "agent/base/unique_fd.h"

namespace manometer::test {
namespace {

UniqueFd open_object(BpfKind kind, uint32_t id) {
  if (kind == BpfKind::kProgram) return UniqueFd(::bpf_prog_get_fd_by_id(id));
  return UniqueFd(kind == BpfKind::kLink ? ::bpf_link_get_fd_by_id(id) : ::bpf_map_get_fd_by_id(id));
}

/// Empty: it is gone.
std::string program_name(uint32_t id) {
  const UniqueFd fd = open_object(BpfKind::kProgram, id);
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  return fd && ::bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0 ? info.name : "";
}

std::string linked_program_name(uint32_t link) {
  const UniqueFd fd = open_object(BpfKind::kLink, link);
  bpf_link_info info{};
  __u32 size = sizeof(info);
  return fd && ::bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0 ? program_name(info.prog_id) : "";
}

BpfObjects existing(const std::set<std::string>& names) {
  BpfObjects out;
  for (uint32_t id = 0; ::bpf_prog_get_next_id(id, &id) == 0;) {
    if (names.contains(program_name(id))) out.emplace(BpfKind::kProgram, id);
  }
  for (uint32_t id = 0; ::bpf_link_get_next_id(id, &id) == 0;) {
    if (names.contains(linked_program_name(id))) out.emplace(BpfKind::kLink, id);
  }
  return out;
}

}  // namespace

BpfObjects held_by(pid_t pid) {
  static const std::map<std::string, BpfKind> kKinds{
      {"prog_id:", BpfKind::kProgram}, {"link_id:", BpfKind::kLink}, {"map_id:", BpfKind::kMap}};
  BpfObjects out;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fdinfo", gone)) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      const size_t colon = line.find(':') + 1;
      const auto kind = kKinds.find(line.substr(0, colon));
      if (kind != kKinds.end()) out.emplace(kind->second, std::stoul(line.substr(colon)));
    }
  }
  return out;
}

std::set<std::string> program_names(const BpfObjects& objects) {
  std::set<std::string> names;
  for (const auto& [kind, id] : objects) {
    if (kind == BpfKind::kProgram) names.insert(program_name(id));
  }
  return names;
}

bool none_exists(const BpfObjects& objects) {
  return std::ranges::none_of(
      objects, [](const auto& object) { return static_cast<bool>(open_object(object.first, object.second)); });
}

BpfObjects without_holder(const std::set<std::string>& names) {
  BpfObjects out = existing(names);
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    pid_t pid = 0;
    if (out.empty()) break;
    if (!parse_number(entry.path().filename().string(), pid)) continue;
    for (const auto& held : held_by(pid)) out.erase(held);
  }
  return out;
}

uint32_t own_pid_namespace() {
  struct stat status {};
  if (::stat("/proc/self/ns/pid", &status) != 0) throw std::system_error(errno, std::generic_category(), "ns/pid");
  return static_cast<uint32_t>(status.st_ino);
}

}  // namespace manometer::test
