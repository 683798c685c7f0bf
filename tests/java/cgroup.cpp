#include "tests/java/cgroup.h"

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

#include "tests/support/child.h"

namespace manometer::test {
namespace {

node::CgroupMount mount() {
  const auto found = node::find_cgroup_mount();
  if (!found || !*found) throw std::runtime_error("this machine has no memory controller mounted");
  return **found;
}

std::ifstream open(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error("cannot read " + path);
  return in;
}

}  // namespace

std::optional<std::string> Cgroup::unavailable() {
  const auto found = node::find_cgroup_mount();
  if (!found || !*found) return "no memory controller is mounted below /sys/fs/cgroup";
  const std::string& root = (*found)->memory;
  if (::access(root.c_str(), W_OK) != 0) return root + " is read-only: run the tests where cgroups can be made";
  if ((*found)->version == node::CgroupVersion::kV1) return std::nullopt;
  std::string controllers;
  std::getline(open(root + "/cgroup.subtree_control"), controllers);
  if ((' ' + controllers + ' ').find(" memory ") != std::string::npos) return std::nullopt;
  return "the root cgroup keeps the memory controller to itself: echo +memory > " + root + "/cgroup.subtree_control";
}

node::CgroupVersion Cgroup::version() {
  return mount().version;
}

Cgroup::Cgroup(const Cgroup* parent, const std::string& name) {
  static std::atomic<int> made{0};
  const std::string above = parent != nullptr ? parent->directory() : mount().memory;
  directory_ = name.empty() ? fmt::format("{}/manometer-test-{}-{}", above, ::getpid(), ++made) : above + '/' + name;
  if (parent != nullptr && version() == node::CgroupVersion::kV2)
    std::ofstream(above + "/cgroup.subtree_control") << "+memory";
  if (::mkdir(directory_.c_str(), 0755) != 0)
    throw std::system_error(errno, std::generic_category(), "make cgroup " + directory_);
}

Cgroup::~Cgroup() {
  eventually([&] { return ::rmdir(directory_.c_str()) == 0 || errno != EBUSY; });
}

std::string Cgroup::name() const {
  return std::filesystem::path(directory_).filename();
}

void Cgroup::limit(uint64_t bytes) const {
  const char* file = version() == node::CgroupVersion::kV1 ? "/memory.limit_in_bytes" : "/memory.max";
  std::ofstream out(directory_ + file);
  if (!(out << bytes << std::flush)) throw std::runtime_error("cannot limit the memory of " + directory_);
}

double Cgroup::number(const std::string& file) const {
  double value = 0;
  open(directory_ + '/' + file) >> value;
  return value;
}

double Cgroup::number(const std::string& file, const std::string& key) const {
  std::ifstream in = open(directory_ + '/' + file);
  std::string name;
  double value = 0;
  while (in >> name >> value) {
    if (name == key) return value;
  }
  throw std::runtime_error("no " + key + " in " + file);
}

}  // namespace manometer::test
