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
