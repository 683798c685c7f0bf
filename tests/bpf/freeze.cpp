#include "tests/bpf/freeze.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/bpf/clock.h"
#include "tests/support/child.h"

namespace manometer::test {
namespace {

namespace fs = std::filesystem;

/// Stopped as long as it lives.
class Stopped {
 public:
  explicit Stopped(pid_t pid) : pid_(pid) { ::kill(pid_, SIGSTOP); }
  ~Stopped() { ::kill(pid_, SIGCONT); }
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;

 private:
  pid_t pid_;
};

/// The state letter in /proc/<pid>/task/<tid>/stat, which comes after the name in parentheses.
bool is_stopped(const fs::path& task) {
  std::ifstream in(task / "stat");
  const std::string stat(std::istreambuf_iterator<char>(in), {});
  return stat.find(") T ") != std::string::npos;
}

bool all_stopped(pid_t pid) {
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task"))
    if (!is_stopped(task.path())) return false;
  return true;
}

Frozen freeze_once(pid_t pid, std::chrono::milliseconds length) {
  const Stopped stopped(pid);
  if (!eventually([&] { return all_stopped(pid); }))
    throw std::runtime_error("process " + std::to_string(pid) + " does not stop");
  Frozen out;
  out.from_ns = now_ns();
  std::this_thread::sleep_for(length);
  out.to_ns = now_ns();
  return out;
}

}  // namespace

std::vector<Frozen> freeze(pid_t pid, int times, std::chrono::milliseconds length, std::chrono::milliseconds apart) {
  std::vector<Frozen> out;
  for (int i = 0; i < times; i++) {
    std::this_thread::sleep_for(apart);
    out.push_back(freeze_once(pid, length));
  }
  return out;
}

}  // namespace manometer::test
