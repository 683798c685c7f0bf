#include "agent/container/pod_names.h"

#include <algorithm>
#include <array>
#include <dirent.h>
#include <map>
#include <memory>
#include <set>
#include <unistd.h>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/node/read_file.h"

namespace manometer::container {
namespace {

constexpr std::string_view kLogSuffix = ".log";
// The kubelet cuts a link's name to this, suffix included.
constexpr size_t kMaxFileName = 255;
// As much as the kubelet itself wants of a cut id.
constexpr size_t kLeastOfId = 6;

/// The names in a directory.
Result<std::vector<std::string>> list(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
  if (!dir) return Error::from_errno("list " + path);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe): this DIR is ours alone
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

std::optional<std::string> read_link(const std::string& path) {
  std::array<char, 4096> to{};  // PATH_MAX
  const ssize_t n = ::readlink(path.c_str(), to.data(), to.size());
  if (n < 0) return std::nullopt;
  return std::string(to.data(), static_cast<size_t>(n));
}

/// Takes the last part of a path off it.
std::string_view take_last(std::string_view& path) {
  const size_t slash = path.rfind('/');
  const std::string_view last = path.substr(slash == std::string_view::npos ? 0 : slash + 1);
  path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
  return last;
}

/// "/var/lib/kubelet/pods/<uid>/containers/<container>/<instance>": the container. prefix: from "/pods/" to its name.
std::string_view container_in(std::string_view root, std::string_view prefix) {
  const size_t at = root.find(prefix);
  if (at == std::string_view::npos) return "";
  root.remove_prefix(at + prefix.size());
  const std::string_view container = take_until(root, '/');
  return root.empty() || root.find('/') != std::string_view::npos ? "" : container;
}

/// What follows the last dash in a link's name.
std::string_view id_in(std::string_view name) {
  if (name.ends_with(kLogSuffix)) name.remove_suffix(kLogSuffix.size());
  return name.substr(name.rfind('-') + 1);
}

/// The links in which one of these ids may be.
std::vector<ContainerLink> read_links(const std::string& directory, const std::vector<Unnamed>& unnamed) {
  std::vector<ContainerLink> links;
  const auto names = list(directory);
  if (!names) return links;  // not every node has them
  std::set<std::string_view> ids;
  for (const Unnamed& container : unnamed) {
    if (container.id) ids.insert(*container.id);
  }
  for (const std::string& name : *names) {
    if (name.size() < kMaxFileName && !ids.contains(id_in(name))) continue;
    const auto to = read_link(fmt::format("{}/{}", directory, name));
    auto link = to ? parse_container_link(name, *to) : std::nullopt;
    if (link) links.push_back(*std::move(link));
  }
  return links;
}

std::optional<std::string> name_by_link(const Unnamed& container, const std::vector<ContainerLink>& links) {
  const auto is_its = [&](const ContainerLink& link) {
    return container.id && link.pod.uid == container.pod_uid && container.id->starts_with(link.id);
  };
  const auto found = std::ranges::find_if(links, is_its);
  return found == links.end() ? std::nullopt : std::optional(found->container);
}

/// pod: its directory.
std::optional<std::string> name_by_mount(const Unnamed& container, const std::string& pod) {
  // What the kubelet mounts is among the first, and a process may add a hundred thousand.
  constexpr size_t kMostBytes = 4U << 20U;
  if (!container.process) return std::nullopt;
  const auto mountinfo = node::read_file_at(container.process->directory(), "mountinfo", kMostBytes);
  if (!mountinfo || !*mountinfo) return std::nullopt;
  auto name = parse_mounted_container(**mountinfo, container.pod_uid);
  const auto containers = list(pod);
  const bool is_there = name && containers && std::ranges::find(*containers, *name) != containers->end();
  return is_there ? name : std::nullopt;
}

}  // namespace

std::optional<PodDirectory> parse_pod_directory(std::string_view name) {
  PodDirectory out;
  out.namespace_name = take_until(name, '_');
  out.pod = take_until(name, '_');
  out.uid = name;
  const bool is_one = !out.namespace_name.empty() && !out.pod.empty() && !out.uid.empty();
  return is_one && out.uid.find('_') == std::string::npos ? std::optional(out) : std::nullopt;
}

std::optional<ContainerLink> parse_container_link(std::string_view name, std::string_view to) {
  if (!take_last(to).ends_with(kLogSuffix) || !name.ends_with(kLogSuffix)) return std::nullopt;
  ContainerLink link;
  link.container = take_last(to);
  auto pod = parse_pod_directory(take_last(to));
  if (!pod || link.container.empty()) return std::nullopt;
  link.pod = *std::move(pod);
  name.remove_suffix(kLogSuffix.size());
  const std::string before = link.pod.pod + '_' + link.pod.namespace_name + '_' + link.container + '-';
  if (!name.starts_with(before)) return std::nullopt;
  link.id = name.substr(before.size());
  return link.id.size() >= kLeastOfId ? std::optional(link) : std::nullopt;
}

std::optional<std::string> parse_mounted_container(std::string_view mountinfo, std::string_view pod_uid) {
  const std::string prefix = "/pods/" + std::string(pod_uid) + "/containers/";
  std::string found;
  while (!mountinfo.empty()) {
    // "id parent major:minor root mount-point ..."
    std::string_view line = take_until(mountinfo, '\n');
    for (int before = 0; before < 3; ++before) take_until(line, ' ');
    const std::string_view container = container_in(take_until(line, ' '), prefix);
    if (container.empty()) continue;
    if (!found.empty() && container != found) return std::nullopt;
    found = container;
  }
  return found.empty() ? std::nullopt : std::optional(found);
}

Result<std::vector<Named>> find_pod_names(const std::string& log_root, const std::vector<Unnamed>& unnamed) {
  const std::string pods = log_root + "/pods";
  const auto names = list(pods);
  if (!names) return names.error();
  std::map<std::string, PodDirectory> by_uid;
  for (const std::string& name : *names) {
    if (auto pod = parse_pod_directory(name)) by_uid.emplace(pod->uid, *pod);
  }
  const std::vector<ContainerLink> links = read_links(log_root + "/containers", unnamed);
  std::vector<Named> out;
  for (const Unnamed& container : unnamed) {
    const auto found = by_uid.find(container.pod_uid);
    if (found == by_uid.end()) continue;
    const PodDirectory& pod = found->second;
    PodNames known{pod.namespace_name, pod.pod, name_by_link(container, links), true};
    if (container.id && !known.container) {
      known.is_certain = false;
      known.container = name_by_mount(container, pods + '/' + pod.namespace_name + '_' + pod.pod + '_' + pod.uid);
    }
    out.push_back({container.key, std::move(known)});
  }
  return out;
}

}  // namespace manometer::container
