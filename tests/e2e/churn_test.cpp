// The process probe under a storm of processes, and what of it is left in the kernel when the agent is killed. Fake
// JVMs show that it works: no scan and no sample would tell of them within the test.

#include <csignal>
#include <fstream>
#include <set>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/unique_fd.h"
#include "tests/support/agent.h"
#include "tests/support/perf_data.h"
#include "tests/support/skip.h"
#include "tests/support/temp_dir.h"

namespace manometer {
namespace {

namespace fs = std::filesystem;
using test::Agent;
using test::Child;

std::vector<std::string> arguments() {
  return {"--bpf", "auto", "--scan-interval", "3600s", "--sample-interval", "60s"};
}

double own(const Agent& agent, const std::string& metric) {
  return agent.scrape().value(metric).value_or(-1);
}

/// Runs a program that does nothing, many times, a few of them at once.
void burst(int processes) {
  constexpr int kAtOnce = 8;
  char name[] = "true";
  char* arguments[] = {name, nullptr};
  char* environment[] = {nullptr};
  for (int begun = 0; begun < processes;) {
    std::vector<pid_t> pids;
    for (; begun < processes && pids.size() < kAtOnce; ++begun) {
      pid_t pid = -1;
      ASSERT_EQ(::posix_spawn(&pid, "/bin/true", nullptr, nullptr, arguments, environment), 0);
      pids.push_back(pid);
    }
    for (const pid_t pid : pids) ::waitpid(pid, nullptr, 0);
  }
}

/// A process that looks like a JVM (support/fake_jvm.cpp) on this very machine.
class FakeJvmProcess {
 public:
  FakeJvmProcess() {
    const auto region = test::PerfData::from_fixture("17-g1").build();
    dir_.write("hsperfdata_test/1", {reinterpret_cast<const char*>(region.data()), region.size()});
    dir_.write("libjvm.so", "no library");
    child_.emplace(
        std::vector<std::string>{MANOMETER_FAKE_JVM, dir_.path() / "libjvm.so", dir_.path() / "hsperfdata_test" / "1"});
    EXPECT_EQ(child_->read_line(), "mapped");
  }

  void end() {
    child_->close_stdin();
    child_->wait();
  }
  bool is_read_by(const Agent& agent) const {
    const std::string pid = std::to_string(child_->pid());
    return agent.scrape().value("manometer_jvm_info", {{"pid", pid}, {"tier", "hsperfdata"}}).has_value();
  }

 private:
  test::TempDir dir_;
  std::optional<Child> child_;
};

/// Expects that the agent learns of processes that begin and end.
void expect_sees_processes(const Agent& agent) {
  FakeJvmProcess jvm;
  EXPECT_TRUE(test::eventually([&] { return jvm.is_read_by(agent); }));
  jvm.end();
  // Before the next sample could tell, too.
  constexpr std::chrono::seconds kSooner{20};
  EXPECT_TRUE(test::eventually([&] { return !jvm.is_read_by(agent); }, kSooner));
}

enum class Kind { kProgram, kLink, kMap };

/// BPF objects, by kind and id.
using Objects = std::set<std::pair<Kind, uint32_t>>;

/// Those that a process holds by its descriptors: agents of others may run on this machine.
Objects held_by(pid_t pid) {
  Objects out;
  const std::map<std::string, Kind> kinds{
      {"prog_id:", Kind::kProgram}, {"link_id:", Kind::kLink}, {"map_id:", Kind::kMap}};
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fdinfo")) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      const size_t colon = line.find(':') + 1;
      const auto kind = kinds.find(line.substr(0, colon));
      if (kind != kinds.end()) out.emplace(kind->second, std::stoul(line.substr(colon)));
    }
  }
  return out;
}

UniqueFd open_object(Kind kind, uint32_t id) {
  if (kind == Kind::kProgram) return UniqueFd(::bpf_prog_get_fd_by_id(id));
  return UniqueFd(kind == Kind::kLink ? ::bpf_link_get_fd_by_id(id) : ::bpf_map_get_fd_by_id(id));
}

std::set<std::string> program_names(const Objects& objects) {
  std::set<std::string> names;
  for (const auto& [kind, id] : objects) {
    if (kind != Kind::kProgram) continue;
    const UniqueFd fd = open_object(kind, id);
    bpf_prog_info info{};
    __u32 size = sizeof(info);
    if (::bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0) names.insert(info.name);
  }
  return names;
}

bool none_exists(const Objects& objects) {
  return std::ranges::none_of(
      objects, [](const auto& object) { return static_cast<bool>(open_object(object.first, object.second)); });
}

class Churn : public testing::Test {
 protected:
  void SetUp() override {
    if (own(agent_, "manometer_probe_attached") != 1)
      MANOMETER_SKIP("this kernel does not take the process probe; `manometer check` says why");
  }

  Agent agent_{arguments()};
};

TEST_F(Churn, AStormOfProcessesLeavesTheAgentAsItWas) {
  constexpr int kWarmUp = 1000;
  constexpr int kStorm = 5000;
  constexpr double kMegabyte = 1 << 20;
  burst(kWarmUp);  // so that what is allocated once is there
  expect_sees_processes(agent_);
  const double fds = own(agent_, "process_open_fds");
  const double bytes = own(agent_, "process_resident_memory_bytes");
  burst(kStorm);
  expect_sees_processes(agent_);
  EXPECT_TRUE(test::eventually([&] { return own(agent_, "process_open_fds") <= fds; }));
  EXPECT_LT(own(agent_, "process_resident_memory_bytes"), bytes + kMegabyte);
  // The ring has room for four times as many events, so that even an agent that slept through it all lost none.
  EXPECT_EQ(agent_.scrape().sum("manometer_events_lost_total"), 0);
}

TEST_F(Churn, KilledItLeavesNothingInTheKernel) {
  const Objects objects = held_by(agent_.child().pid());
  EXPECT_THAT(program_names(objects), testing::UnorderedElementsAre("process_exec", "process_exit"));
  EXPECT_FALSE(none_exists(objects));
  agent_.child().signal(SIGKILL);
  EXPECT_EQ(agent_.child().wait(), 128 + SIGKILL);
  EXPECT_TRUE(test::eventually([&] { return none_exists(objects); }));
  const Agent next(arguments());
  EXPECT_EQ(own(next, "manometer_probe_attached"), 1);
  expect_sees_processes(next);
}

}  // namespace
}  // namespace manometer
