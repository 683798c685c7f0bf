// More JVMs than the agent takes: the newest are refused, counted, said once, and taken when there is room.

#include <filesystem>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/agent.h"
#include "tests/support/fake_node.h"
#include "tests/support/perf_data.h"

namespace manometer {
namespace {

namespace fs = std::filesystem;
using test::Agent;
using test::Scraped;

class Limits : public testing::Test {
 protected:
  Limits() {
    node_.write("cgroup/cgroup.controllers", "memory\n");
    for (const char* cgroup : {"shop", "batch", "late"}) {
      node_.write(fmt::format("cgroup/{}/cgroup.procs", cgroup), "");
      node_.write(fmt::format("cgroup/{}/memory.current", cgroup), "700000000\n");
    }
  }

  void add(pid_t pid, const std::string& cgroup = "shop") {
    node_.add_jvm({.pid = pid, .namespace_pid = pid, .cgroup = "0::/" + cgroup + "\n"},
                  test::PerfData::from_fixture("17-g1").build());
  }

  Agent agent(const std::string& flag, int most) const {
    return Agent({"--variant", "sidecar", "--host-proc", node_.proc(), "--host-cgroup", node_.cgroup(), "--host-log",
                  node_.log(), "--scan-interval", "1s", "--sample-interval", "100ms", flag, std::to_string(most)});
  }

  static bool knows(const Scraped& scraped, pid_t pid) {
    return scraped.value("manometer_jvm_info", {{"pid", std::to_string(pid)}}).has_value();
  }
  static double refused(const Scraped& scraped, const std::string& limit) {
    return scraped.value("manometer_refused_total", {{"limit", limit}}).value_or(-1);
  }
  static double refused_now(const Scraped& scraped) {
    return scraped.value("manometer_unmeasured", {{"what", "all"}}).value_or(-1);
  }

  test::FakeNode node_;
};

TEST_F(Limits, TheNewestJvmsAreRefusedUntilThereIsRoom) {
  constexpr int kHostile = 200;
  constexpr pid_t kFirst = 1000;
  add(kFirst);
  add(kFirst + 1);
  Agent agent = this->agent("--max-jvms", 3);
  ASSERT_TRUE(knows(agent.scrape_until([](const Scraped& now) { return knows(now, kFirst + 1); }), kFirst + 1));
  // Lower pids, so that a scan comes to them first.
  for (int i = 0; i < kHostile; ++i) add(100 + i, "batch");
  Scraped now = agent.scrape_until([](const Scraped& s) { return refused(s, "jvms") >= kHostile - 1; });
  EXPECT_EQ(now.all("manometer_jvm_info").size(), 3U);
  EXPECT_TRUE(knows(now, kFirst) && knows(now, kFirst + 1)) << "what is known stays";
  EXPECT_EQ(refused_now(now), kHostile - 1);

  fs::remove_all(node_.process(kFirst));
  now = agent.scrape_until([](const Scraped& s) { return refused_now(s) == kHostile - 2; });
  EXPECT_EQ(now.all("manometer_jvm_info").size(), 3U);
  EXPECT_EQ(refused(now, "jvms"), kHostile - 1) << "each counts once, however often it is looked at";
  EXPECT_EQ(now.all("manometer_jvm_info", {{"container", "batch"}}).size(), 2U) << "one of the refused has the place";

  for (int i = 0; i < kHostile; ++i) {
    if (!knows(now, 100 + i)) fs::remove_all(node_.process(100 + i));
  }
  now = agent.scrape_until([](const Scraped& s) { return refused_now(s) == 0; });
  EXPECT_EQ(refused_now(now), 0) << "who ends is not refused any more";
  agent.child().signal(SIGTERM);
  EXPECT_NE(agent.log_line_with("is not measured, nor are others, as long as there are 3 (--max-jvms)"), "");
  EXPECT_EQ(agent.log_line_with("--max-jvms"), "") << "said once";
}

TEST_F(Limits, TheNewestContainersAreRefused) {
  add(50, "shop");
  add(51, "batch");
  Agent agent = this->agent("--max-containers", 2);
  agent.scrape_until([](const Scraped& now) { return knows(now, 50) && knows(now, 51); });
  add(10, "late");
  add(11, "late");
  add(12, "shop");
  const Scraped now =
      agent.scrape_until([](const Scraped& s) { return refused(s, "containers") == 2 && knows(s, 12); });
  EXPECT_EQ(refused(now, "containers"), 2);
  EXPECT_TRUE(knows(now, 50) && knows(now, 51)) << "what is known stays";
  EXPECT_TRUE(knows(now, 12)) << "one more in a container that is known";
  EXPECT_FALSE(knows(now, 10) || knows(now, 11));
  EXPECT_EQ(refused(now, "jvms"), 0);
}

TEST_F(Limits, TheMinimalProfileHasFewSeries) {
  node_.write("cgroup/shop/memory.max", "1073741824\n");
  node_.write("cgroup/shop/memory.stat", "anon 500000000\nkernel 10000000\nshmem 1000\ninactive_file 90000000\n");
  add(50);
  const Agent agent({"--variant", "sidecar", "--host-proc", node_.proc(), "--host-cgroup", node_.cgroup(), "--host-log",
                     node_.log(), "--sample-interval", "100ms", "--pressure-window", "1s", "--leak-window", "1s",
                     "--profile", "minimal"});
  const Scraped now = agent.scrape_until([](const Scraped& s) {
    return s.value("manometer_jvm_leak_suspected", {{"pid", "50"}}).has_value();
  });
  EXPECT_TRUE(now.value("manometer_jvm_memory_pressure_load_ratio", {{"pid", "50"}}));
  EXPECT_TRUE(now.value("manometer_container_memory_limit_bytes", {{"container", "shop"}}));
  EXPECT_TRUE(now.all("manometer_jvm_threads").empty());
  // Where requests are measured there are two histograms of three and two gauges more.
  constexpr size_t kMost = 25 - 8;
  EXPECT_LE(now.all_with("container").size(), kMost);
}

}  // namespace
}  // namespace manometer
