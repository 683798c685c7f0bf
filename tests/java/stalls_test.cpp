// Waits of threads for memory, against the JVM's own log of them.

#include <algorithm>
#include <filesystem>
#include <iostream>

#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/unique_fd.h"
#include "agent/jvm/collector_names.h"
#include "tests/java/combinations.h"
#include "tests/java/jvm.h"
#include "tests/java/moment.h"
#include "tests/support/bpf_objects.h"
#include "tests/support/skip.h"

namespace manometer::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCount = "manometer_jvm_allocation_stalls_total";
constexpr const char* kSeconds = "manometer_jvm_allocation_stall_seconds_total";
// More than can be freed meanwhile.
constexpr const char* kStorm = "allocate 1500 100000";
// Of small objects, so that each collection takes a while, and each wait for it.
constexpr const char* kRetain = "retain_small 20";

JvmSetup small_heap(const Combination& one) {
  JvmSetup setup{.options = one.options, .gc_log = true};
  setup.options.emplace_back("-Xmx128m");
  // Else it holds up those who allocate before they have to wait.
  if (one.name == "Shenandoah") setup.options.emplace_back("-XX:-ShenandoahPacing");
  return setup;
}

Scraped scrape_measured(const Agent& agent, const Jvm& jvm) {
  return agent.scrape_until([&](const Scraped& scraped) { return scraped.value(kCount, jvm.labels()).has_value(); });
}

/// How many links to places in libraries the agent has.
bool is_uprobe(uint32_t type) {
  constexpr uint32_t kUprobeMulti = 12;  // BPF_LINK_TYPE_UPROBE_MULTI, since 6.6
  return type == BPF_LINK_TYPE_PERF_EVENT || type == kUprobeMulti;
}

size_t sites_of(const Agent& agent) {
  size_t sites = 0;
  for (const auto& [kind, id] : held_by(agent.pid())) {
    if (kind != BpfKind::kLink) continue;
    const UniqueFd link(::bpf_link_get_fd_by_id(id));
    bpf_link_info info{};
    __u32 size = sizeof(info);
    if (link && ::bpf_obj_get_info_by_fd(link.get(), &info, &size) == 0 && is_uprobe(info.type)) ++sites;
  }
  return sites;
}

std::vector<Combination> those_that_make_threads_wait() {
  std::vector<Combination> all = all_combinations();
  std::erase_if(all, [](const Combination& one) { return !jvm::collects_concurrently(one.collector); });
  return all;
}

class Stalls : public testing::TestWithParam<Combination> {
 protected:
  void SetUp() override {
    auto jdk = fetch_jdk(GetParam().jdk);
    if (!jdk) MANOMETER_SKIP(jdk.error().message());
    if (const auto classes = workload_classes(); !classes) MANOMETER_SKIP(classes.error().message());
    jdk_ = *std::move(jdk);
  }

  Jdk jdk_;
};

TEST_P(Stalls, AddUpAsTheLogSays) {
  const Agent agent({"--sample-interval", "100ms"});
  Jvm jvm(jdk_, small_heap(GetParam()));
  jvm.command(kRetain);
  EXPECT_EQ(scrape_measured(agent, jvm).value(kCount, jvm.labels()), 0);
  constexpr double kEnough = 20;  // to tell anything
  EXPECT_TRUE(eventually([&] {
    jvm.command(kStorm);
    return fresh_scrape(agent, jvm.labels()).value(kCount, jvm.labels()) >= kEnough;
  }));
  const Moment end = quiet_moment(agent, jvm);
  EXPECT_EQ(end.scraped.value("manometer_unmeasured", {{"what", "allocation_stalls"}}), 0);
  jvm.end();
  Stall all;
  const std::vector<Stall> log = jvm.stalls();
  for (const Stall& stall : log) {
    all.at_least_seconds += stall.at_least_seconds;
    all.at_most_seconds += stall.at_most_seconds;
  }
  EXPECT_EQ(end.value(kCount), static_cast<double>(log.size()));
  EXPECT_THAT(end.value(kSeconds),
              testing::AllOf(testing::Ge(0.98 * all.at_least_seconds), testing::Le(1.02 * all.at_most_seconds)));
  std::cout << log.size() << " stalls, " << end.value(kSeconds) << " s, in the log " << all.at_least_seconds << " to "
            << all.at_most_seconds << " s\n";
}

TEST_P(Stalls, OfTwoJvmsWithOneLibraryAreNotMixed) {
  const Agent agent({"--sample-interval", "100ms"});
  {
    Jvm quiet(jdk_, small_heap(GetParam()));
    scrape_measured(agent, quiet);
    const size_t sites = sites_of(agent);
    EXPECT_GE(sites, 1U);
    {
      Jvm busy(jdk_, small_heap(GetParam()));
      scrape_measured(agent, busy);
      EXPECT_EQ(sites_of(agent), sites) << "one library, once";
      busy.command(kRetain);
      busy.command(kStorm);
      const Moment end = quiet_moment(agent, busy);
      EXPECT_GT(end.value(kSeconds), 0);
      EXPECT_EQ(end.scraped.value(kCount, quiet.labels()), 0);
    }
    quiet.command(kRetain);
    quiet.command(kStorm);
    EXPECT_GT(quiet_moment(agent, quiet).value(kSeconds), 0) << "although the other is gone";
  }
  EXPECT_TRUE(eventually([&] { return sites_of(agent) == 0; })) << "it stays on the library of no JVM";
}

TEST_P(Stalls, AreLeftOutWithoutTheNamesOfFunctions) {
  const TempDir copy;
  fs::copy(jdk_.directory, copy.path() / "jdk", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  const fs::path library = copy.path() / "jdk/lib/server/libjvm.so";
  fs::permissions(library, fs::perms::owner_write, fs::perm_options::add);
  ASSERT_EQ(run({"strip", "--strip-all", "--remove-section=.note.stapsdt", library}).code, 0);
  Agent agent({"--sample-interval", "100ms"});
  Jvm jvm({jdk_.version, copy.path() / "jdk"}, small_heap(GetParam()));
  EXPECT_NE(agent.log_line_with("has no symbols of " + GetParam().collector + ", or was stripped"), "");
  const Moment moment = quiet_moment(agent, jvm);
  EXPECT_FALSE(moment.scraped.value(kCount, moment.labels));
  EXPECT_TRUE(moment.scraped.value("manometer_jvm_heap_used_bytes", moment.labels)) << "the rest is there";
  EXPECT_EQ(moment.scraped.value("manometer_unmeasured", {{"what", "allocation_stalls"}}), 1);
}

INSTANTIATE_TEST_SUITE_P(Jdks, Stalls, testing::ValuesIn(those_that_make_threads_wait()),
                         [](const auto& one) { return one.param.name + std::to_string(one.param.jdk); });

TEST(StallsOfOthers, AreNotLookedFor) {
  const auto jdk = fetch_jdk(17);
  if (!jdk) MANOMETER_SKIP(jdk.error().message());
  if (const auto classes = workload_classes(); !classes) MANOMETER_SKIP(classes.error().message());
  const Agent agent({"--sample-interval", "100ms"});
  Jvm jvm(*jdk, {.options = {"-XX:+UseG1GC"}});
  const Moment moment = quiet_moment(agent, jvm);
  EXPECT_FALSE(moment.scraped.value(kCount, moment.labels));
  EXPECT_EQ(moment.scraped.value("manometer_unmeasured", {{"what", "allocation_stalls"}}), 0);
}

}  // namespace
}  // namespace manometer::test
