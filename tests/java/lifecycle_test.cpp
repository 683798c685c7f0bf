// JVMs that come and go: they are found and forgotten by whatever the agent has to see them with.

#include <csignal>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/java/odd.h"
#include "tests/support/skip.h"

namespace manometer::test {
namespace {

// Neither of the agent's timers finds or misses a JVM within a test that waits for less.
const std::vector<std::string> kEventsAlone{"--scan-interval", "3600s", "--sample-interval", "60s"};
constexpr std::chrono::seconds kSoonerThanTimers{30};

class Lifecycle : public JvmTest {
 protected:
  static void expect_forgotten(const Agent& agent, const LabelMap& labels) {
    EXPECT_TRUE(eventually([&] { return is_gone(agent.scrape(), labels); }, kSoonerThanTimers))
        << agent.get("/metrics");
  }
  static void expect_found(const Agent& agent, const LabelMap& labels) {
    EXPECT_TRUE(eventually([&] { return is_read_by(agent.scrape(), labels, "hsperfdata"); }, kSoonerThanTimers))
        << agent.get("/metrics");
  }

  /// Expects a JVM that is followed, by events or by scans, to be forgotten after that.
  static void expect_forgotten_after(const std::function<void(Jvm&)>& change) {
    for (const char* bpf : {"auto", "off"}) {
      SCOPED_TRACE(bpf);
      Agent agent({"--bpf", bpf, "--scan-interval", "1s", "--sample-interval", "100ms"});
      Jvm jvm(jdk(), {});
      expect_followed(agent, jvm, "hsperfdata");
      const LabelMap labels = jvm.labels();
      const pid_t pid = jvm.pid();
      change(jvm);
      expect_forgotten(agent, labels);
      expect_no_complaint(agent, pid);
      jvm.child().signal(SIGKILL);  // it may no longer know how a JVM of ours ends
    }
  }

  static void skip_without_probe(const Agent& agent) {
    const auto attached = agent.scrape().value("manometer_probe_attached", {{"probe", "process"}});
    if (attached != 1) MANOMETER_SKIP("the BPF program that tells of processes does not load: see manometer check");
  }
};

TEST_F(Lifecycle, AJvmThatWasThereIsFoundAtTheStart) {
  Jvm jvm(jdk(), {});
  jvm.report();
  const Agent agent(kEventsAlone);
  expect_found(agent, jvm.labels());
}

TEST_F(Lifecycle, AJvmIsFoundAndForgottenByEventsAlone) {
  Agent agent(kEventsAlone);
  skip_without_probe(agent);
  if (IsSkipped()) return;
  Jvm jvm(jdk(), {});
  jvm.report();
  const LabelMap labels = jvm.labels();
  const pid_t pid = jvm.pid();
  expect_found(agent, labels);
  EXPECT_EQ(jvm.end(), 0);
  expect_forgotten(agent, labels);
  expect_no_complaint(agent, pid);
}

TEST_F(Lifecycle, WithoutBpfAScanFindsJvms) {
  Agent agent({"--bpf", "off", "--scan-interval", "1s"});
  Jvm jvm(jdk(), {});
  expect_followed(agent, jvm, "hsperfdata");
  const LabelMap labels = jvm.labels();
  const pid_t pid = jvm.pid();
  EXPECT_EQ(jvm.end(), 0);
  expect_forgotten(agent, labels);
  expect_no_complaint(agent, pid);
}

TEST_F(Lifecycle, AKilledJvmIsForgotten) {
  expect_forgotten_after([](Jvm& jvm) { jvm.child().signal(SIGKILL); });
}

TEST_F(Lifecycle, AJvmThatBecomesAnotherProgramIsForgotten) {
  expect_forgotten_after([](Jvm& jvm) {
    jvm.child().write_line("replace " MANOMETER_REPLACE_PROCESS);
    const std::string comm = fmt::format("/proc/{}/comm", jvm.pid());
    EXPECT_TRUE(eventually([&] {
      std::string name;
      std::getline(std::ifstream(comm), name);
      return name == "sleep";
    })) << "the process is still there, under another name";
  });
}

/// Has the next process in the agent's pid namespace get this pid.
void make_next_pid(Agent& agent, pid_t pid) {
  std::vector<std::string> command = in_pid_namespace_of(agent);
  command.insert(command.end(), {"sh", "-c", fmt::format("echo {} > /proc/sys/kernel/ns_last_pid", pid - 1)});
  ASSERT_EQ(Child(command).wait(), 0);
}

TEST_F(Lifecycle, AReusedPidIsAnotherJvm) {
  constexpr int kAttempts = 10;  // a thread of the agent may get the pid first
  for (const char* bpf : {"auto", "off"}) {
    SCOPED_TRACE(bpf);
    Agent agent({"--bpf", bpf, "--scan-interval", "1s", "--sample-interval", "100ms"}, {}, in_new_pid_namespace());
    const JvmSetup serial{.options = {"-XX:+UseSerialGC"}, .launcher = in_pid_namespace_of(agent)};
    const JvmSetup parallel{.options = {"-XX:+UseParallelGC"}, .launcher = in_pid_namespace_of(agent)};
    auto jvm = std::make_unique<Jvm>(jdk(), serial);
    jvm->report();
    const LabelMap labels = jvm->labels();
    expect_found(agent, labels);
    for (int attempt = 0; attempt == 0 || (jvm->labels() != labels && attempt < kAttempts); ++attempt) {
      jvm->signal(SIGKILL);
      jvm->child().wait();
      make_next_pid(agent, std::stoi(labels.at("pid")));
      jvm = std::make_unique<Jvm>(jdk(), parallel);
      jvm->report();
    }
    ASSERT_EQ(jvm->labels(), labels);
    expect_followed(agent, *jvm, "hsperfdata");
    const auto info = agent.scrape().all("manometer_jvm_info", labels);
    ASSERT_EQ(info.size(), 1U);
    EXPECT_EQ(info[0].labels.at("collector"), "Parallel");
  }
}

TEST_F(Lifecycle, AnAgentInAPidNamespaceFollowsTheJvmsInThere) {
  Agent agent(kEventsAlone, {}, in_new_pid_namespace());
  skip_without_probe(agent);
  if (IsSkipped()) return;
  Jvm inside(jdk(), {.launcher = in_pid_namespace_of(agent)});
  inside.report();
  const LabelMap labels = inside.labels();
  const pid_t pid = std::stoi(labels.at("pid"));
  ASSERT_LT(pid, 100) << "a young namespace has low pids";
  expect_found(agent, labels);
  Jvm outside(jdk(), {});
  outside.report();
  EXPECT_EQ(agent.scrape().all("manometer_jvm_info").size(), 1U) << "it does not see those of the node";
  EXPECT_EQ(inside.end(), 0);
  expect_forgotten(agent, labels);
  expect_no_complaint(agent, pid);
}

}  // namespace
}  // namespace manometer::test
