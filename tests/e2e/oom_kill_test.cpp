// A JVM that the OOM killer ends: the kill is there though nothing else of the container is.

#include <csignal>
#include <filesystem>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "tests/java/cgroup.h"
#include "tests/java/odd.h"
#include "tests/support/skip.h"

namespace manometer::test {
namespace {

constexpr uint64_t kMegabyte = 1 << 20;
const std::string kKills = "manometer_container_oom_kills_total";
const std::string kReclaim = "manometer_container_reclaim_stall_seconds_total";

class OomKill : public JvmTest {
 protected:
  void SetUp() override {
    JvmTest::SetUp();
    if (const auto why = Cgroup::unavailable()) MANOMETER_SKIP(*why);
    victim_.emplace();
    other_.emplace();
  }

  static LabelMap labels(const Cgroup& cgroup) { return {{"container", cgroup.name()}}; }
  static bool is_known(const Scraped& scraped, const Cgroup& cgroup) {
    return !scraped.all("manometer_jvm_info", labels(cgroup)).empty();
  }
  static Scraped scrape_when_known(const Agent& agent, const Cgroup& cgroup) {
    return agent.scrape_until([&](const Scraped& now) { return is_known(now, cgroup); });
  }

  /// Runs a JVM until it is killed; the first scrape that does not have it.
  Scraped scrape_after_kill(const Agent& agent) {
    victim_->limit(200 * kMegabyte);
    Jvm jvm(jdk(), {.options = {"-Xmx600m"}, .cgroup = victim_->directory()});
    EXPECT_TRUE(is_known(scrape_when_known(agent, *victim_), *victim_));
    jvm.child().write_line("retain 500");
    EXPECT_EQ(jvm.child().wait(), 128 + SIGKILL);
    std::filesystem::remove("/tmp/hsperfdata_root/" + std::to_string(jvm.child().pid()));
    return agent.scrape_until([&](const Scraped& now) { return !is_known(now, *victim_); });
  }
  /// As a container's does that is started again.
  void make_cgroup_anew() const {
    ASSERT_TRUE(eventually([&] { return ::rmdir(victim_->directory().c_str()) == 0; }));
    ASSERT_EQ(::mkdir(victim_->directory().c_str(), 0755), 0);
  }

  std::optional<Cgroup> victim_;
  std::optional<Cgroup> other_;
};

TEST_F(OomKill, IsThereWhenTheContainerIsNot) {
  Jvm witness(jdk(), {.options = {"-Xmx50m"}, .cgroup = other_->directory()});
  const Agent agent({"--sample-interval", "100ms"});
  EXPECT_EQ(scrape_when_known(agent, *other_).value(kKills, labels(*other_)), 0);
  for (int kills = 1; kills <= 3; ++kills) {
    SCOPED_TRACE(kills);
    const Scraped scraped = scrape_after_kill(agent);
    EXPECT_EQ(scraped.value(kKills, labels(*victim_)), kills);
    EXPECT_TRUE(scraped.all(kReclaim, labels(*victim_)).empty());
    EXPECT_EQ(scraped.value(kKills, labels(*other_)), 0);
    if (kills == 1) make_cgroup_anew();
  }
  const Jvm again(jdk(), {.options = {"-Xmx50m"}, .cgroup = victim_->directory()});
  EXPECT_EQ(scrape_when_known(agent, *victim_).value(kKills, labels(*victim_)), 3);
}

TEST_F(OomKill, IsNoneOfAContainerThatEnds) {
  const Agent agent({"--sample-interval", "100ms"});
  Jvm jvm(jdk(), {.options = {"-Xmx50m"}, .cgroup = victim_->directory()});
  EXPECT_EQ(scrape_when_known(agent, *victim_).value(kKills, labels(*victim_)), 0);
  jvm.end();
  const auto is_forgotten = [&](const Scraped& now) { return now.all(kKills, labels(*victim_)).empty(); };
  EXPECT_TRUE(is_forgotten(agent.scrape_until(is_forgotten)));
}

// Where the kernel has no pressure files for the container, from what tasks wait in reclaim.
TEST_F(OomKill, AJvmHasItsContainersMemoryWaitInItsPressure) {
  Jvm jvm(jdk(), {.options = {"-Xmx50m"}, .cgroup = victim_->directory()});
  const Agent agent({"--sample-interval", "100ms", "--pressure-window", "1s"});
  LabelMap psi = labels(*victim_);
  psi["component"] = "psi";
  const auto has_psi = [&](const Scraped& now) {
    return now.value("manometer_jvm_memory_pressure_component_ratio", psi).has_value();
  };
  EXPECT_TRUE(has_psi(agent.scrape_until(has_psi)));
}

}  // namespace
}  // namespace manometer::test
