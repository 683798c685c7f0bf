// The cgroup of a JVM: what the kernel accounts to it, and what it may use.

#include <csignal>
#include <filesystem>
#include <future>
#include <memory>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/java/cgroup.h"
#include "tests/java/moment.h"
#include "tests/java/odd.h"
#include "tests/support/skip.h"
#include "tests/support/temp_dir.h"

namespace manometer::test {
namespace {

constexpr uint64_t kMegabyte = 1 << 20;

class JvmContainer : public JvmTest {
 protected:
  /// Where the kernel says what the agent exports.
  struct Truth {
    double usage;
    double working_set;
    double anon;
    bool operator==(const Truth&) const = default;
  };

  static Truth of_kernel(const Cgroup& cgroup) {
    const bool v1 = Cgroup::version() == node::CgroupVersion::kV1;
    const double usage = cgroup.number(v1 ? "memory.usage_in_bytes" : "memory.current");
    const double inactive = cgroup.number("memory.stat", v1 ? "total_inactive_file" : "inactive_file");
    return {usage, usage - inactive, cgroup.number("memory.stat", v1 ? "total_rss" : "anon")};
  }

  static Truth of_agent(const Agent& agent, const LabelMap& container) {
    const Scraped scraped = agent.scrape();
    LabelMap anon = container;
    anon["part"] = "anon";
    return {scraped.sum("manometer_container_memory_usage_bytes", container),
            scraped.sum("manometer_container_memory_working_set_bytes", container),
            scraped.sum("manometer_container_memory_part_bytes", anon)};
  }
};

TEST_F(JvmContainer, ACgroupMadeAnewUnderTheSamePathIsAnother) {
  if (const auto why = Cgroup::unavailable()) MANOMETER_SKIP(*why);
  // The end of the first JVM is not known yet when the second is found.
  const Agent agent({"--bpf", "off", "--scan-interval", "1s", "--sample-interval", "60s"});
  auto cgroup = std::make_unique<Cgroup>();
  const std::string name = cgroup->name();
  cgroup->limit(800 * kMegabyte);
  auto jvm = std::make_unique<Jvm>(jdk(), JvmSetup{.options = {"-Xmx100m"}, .cgroup = cgroup->directory()});
  jvm->report();
  const auto limit_is = [&](uint64_t bytes) {
    return agent.scrape().value("manometer_container_memory_limit_bytes", {{"container", name}}) == bytes;
  };
  EXPECT_TRUE(eventually([&] { return limit_is(800 * kMegabyte); }));
  EXPECT_EQ(jvm->end(), 0);
  cgroup.reset();
  cgroup = std::make_unique<Cgroup>(nullptr, name);
  cgroup->limit(600 * kMegabyte);
  jvm = std::make_unique<Jvm>(jdk(), JvmSetup{.options = {"-Xmx100m"}, .cgroup = cgroup->directory()});
  jvm->report();
  EXPECT_TRUE(eventually([&] { return limit_is(600 * kMegabyte); }));
  EXPECT_EQ(jvm->end(), 0);
}

TEST_F(JvmContainer, IsMeasuredAsTheKernelDoes) {
  if (const auto why = Cgroup::unavailable()) MANOMETER_SKIP(*why);
  const Cgroup outer;
  const Cgroup inner(&outer);
  inner.limit(800 * kMegabyte);
  outer.limit(512 * kMegabyte);
  Jvm jvm(jdk(), {.options = {"-Xmx200m"}, .cgroup = inner.directory()});
  jvm.command("retain 60");
  const Agent agent({"--sample-interval", "100ms"});
  expect_followed(agent, jvm, "hsperfdata");
  const LabelMap container{{"container", inner.name()}};
  EXPECT_EQ(jvm.labels().at("container"), inner.name());
  EXPECT_EQ(agent.scrape().value("manometer_container_memory_limit_bytes", container), 512 * kMegabyte)
      << "the lowest on the way to the root";

  jvm.signal(SIGSTOP);  // nothing moves but the kernel's own statistics, which it brings up to date now and then
  EXPECT_TRUE(eventually([&] {
    const Truth before = of_kernel(inner);
    const Truth exported = of_agent(agent, container);
    return before == exported && exported == of_kernel(inner);
  })) << of_kernel(inner).usage
      << ' ' << of_agent(agent, container).usage;
  jvm.signal(SIGCONT);
  EXPECT_GT(of_agent(agent, container).anon, 60 * kMegabyte);

  outer.limit(1024 * kMegabyte);
  const auto limit_is_inner = [&](const Scraped& scraped) {
    return scraped.value("manometer_container_memory_limit_bytes", container) == 800 * kMegabyte;
  };
  EXPECT_TRUE(limit_is_inner(agent.scrape_until(limit_is_inner)));

  jvm.end();
  const auto is_forgotten = [&](const Scraped& scraped) {
    return scraped.all("manometer_container_memory_usage_bytes", container).empty();
  };
  EXPECT_TRUE(is_forgotten(agent.scrape_until(is_forgotten)));
}

/// A command that starts another in this cgroup, in a cgroup namespace that begins there and with mounts that show no
/// more, as a container runtime does. mounts: a shell command for what else it gets from the node.
std::vector<std::string> contained_in(const Cgroup& cgroup, const std::string& mounts = "true") {
  const bool v1 = Cgroup::version() == node::CgroupVersion::kV1;
  const std::string mount =
      v1 ? "mkdir memory && mount -t cgroup -o memory none memory" : "mount -t cgroup2 none /sys/fs/cgroup";
  return {"/bin/sh", "-c",
          "echo 0 > " + cgroup.directory() + "/cgroup.procs && exec unshare --cgroup --mount /bin/sh -c '" + mounts +
              " && mount -t tmpfs none /sys/fs/cgroup && cd /sys/fs/cgroup && " + mount + R"( && exec "$@"' sh "$@")",
          "sh"};
}

TEST_F(JvmContainer, IsMeasuredByAnAgentInAContainer) {
  if (const auto why = Cgroup::unavailable()) MANOMETER_SKIP(*why);
  const Cgroup outer;
  const Cgroup inner(&outer);
  const Cgroup own;
  outer.limit(512 * kMegabyte);
  Jvm jvm(jdk(), {.options = {"-Xmx200m"}, .cgroup = inner.directory()});
  // Not every machine lets us look into its process 1, so another stands for it.
  Child first({"sleep", "infinity"});
  const TempDir proc;
  for (const auto& [name, process] : {std::pair<std::string, std::string>{"1", std::to_string(first.pid())},
                                      {"self", "self"},
                                      {std::to_string(jvm.pid()), std::to_string(jvm.pid())}})
    std::filesystem::create_directory_symlink("/proc/" + process, proc.path() / name);

  const Agent agent({"--host-proc", proc.path(), "--sample-interval", "100ms"}, {}, contained_in(own));
  expect_followed(agent, jvm, "hsperfdata");
  const Scraped scraped = agent.scrape();
  EXPECT_EQ(scraped.value("manometer_container_memory_limit_bytes", {{"container", inner.name()}}), 512 * kMegabyte);
  EXPECT_EQ(scraped.value("manometer_http_unattached_cgroups").value_or(0), 0);
  EXPECT_EQ(agent.log_at_start().find("cgroup namespace"), std::string::npos) << agent.log_at_start();

  const TempDir host;
  const Agent told({"--host-cgroup", host.path(), "--sample-interval", "100ms"}, {},
                   contained_in(own, "mount --rbind /sys/fs/cgroup " + host.path().string()));
  expect_followed(told, jvm, "hsperfdata");
  EXPECT_EQ(told.scrape().value("manometer_container_memory_limit_bytes", {{"container", inner.name()}}),
            512 * kMegabyte);

  const Agent blind({"--sample-interval", "100ms", "--host-cgroup", "/sys/fs/cgroup", "--host-proc", proc.path()}, {},
                    contained_in(own));
  EXPECT_NE(blind.log_at_start().find("cgroup namespace hides"), std::string::npos) << blind.log_at_start();
}

/// At one look, of memory pressure only what needs no window.
TEST_F(JvmContainer, IsCheckedForAHeapThatDoesNotFit) {
  if (const auto why = Cgroup::unavailable()) MANOMETER_SKIP(*why);
  const Cgroup cgroup;
  cgroup.limit(256 * kMegabyte);
  Jvm jvm(jdk(), {.options = {"-Xmx300m"}, .cgroup = cgroup.directory()});
  jvm.command("report");
  const std::string line = fmt::format("JVM {} .*; GC pauses by (usdt|symbols|counters)", jvm.pid());
  const std::string check = run({agent_binary(), "check"}).out;
  EXPECT_THAT(check, testing::ContainsRegex(line + "; largest heap and the rest: 1[0-9][0-9] % of the limit, "
                                                   "which do not fit"));
  EXPECT_THAT(check, testing::Not(testing::HasSubstr("MEMORY PRESSURE")));
}

TEST_F(JvmContainer, IsCheckedForItsMemoryPressure) {
  if (const auto why = Cgroup::unavailable()) MANOMETER_SKIP(*why);
  const Cgroup cgroup;
  cgroup.limit(256 * kMegabyte);
  // One that compiles has no pressure yet.
  Jvm jvm(jdk(), {.options = {"-Xmx300m", "-Xint"}, .cgroup = cgroup.directory()});
  jvm.command("gc");
  const auto check = [](const std::string& output) {
    return run({agent_binary(), "check", "--measure", "4s", "--output", output}).out;
  };
  const std::string in_table = fmt::format("MEMORY PRESSURE.* {} +0\\.00 +(0\\.[5-9]|1\\.00)", jvm.pid());
  EXPECT_THAT(check("table"), testing::ContainsRegex(in_table));
  const std::string in_json =
      fmt::format(R"("pid":{},[^}}]*"memory_pressure":."load":0E0,"index":([5-9][0-9.]*E-1|1E0))", jvm.pid());
  EXPECT_THAT(check("json"), testing::ContainsRegex(in_json));
}

/// ZGC tells that only when it collects.
TEST_F(JvmContainer, AHeapThatGrowsIsNoOtherMemory) {
  if (const auto why = Cgroup::unavailable()) MANOMETER_SKIP(*why);
  const Cgroup cgroup;
  cgroup.limit(1024 * kMegabyte);
  // It does not collect by itself before it has a tenth of that.
  const std::vector<std::string> options{"-XX:+UseZGC", "-XX:-ZProactive", "-Xms16m", "-Xmx3000m"};
  Jvm jvm(jdk(), {.options = options, .cgroup = cgroup.directory()});
  jvm.command("gc");
  const Agent agent({"--sample-interval", "100ms", "--pressure-window", "1s"});
  expect_followed(agent, jvm, "hsperfdata");
  const auto overcommit = [&] {
    return fresh_scrape(agent, jvm.labels()).value("manometer_jvm_heap_limit_overcommit_ratio", jvm.labels());
  };
  const double before = overcommit().value_or(0);
  EXPECT_GT(before, 3000.0 / 1024);
  const auto usage = [&] { return of_agent(agent, {{"container", cgroup.name()}}).usage; };
  const double usage_before = usage();
  jvm.command("allocate 200 1000");
  EXPECT_TRUE(eventually([&] { return usage() > usage_before + 150 * kMegabyte; }));
  EXPECT_NEAR(overcommit().value_or(0), before, 0.05);
}

TEST_F(JvmContainer, IsCheckedForALeak) {
  if (const auto why = Cgroup::unavailable()) MANOMETER_SKIP(*why);
  const Cgroup cgroup;
  cgroup.limit(512 * kMegabyte);
  Jvm jvm(jdk(), {.options = {"-XX:+UseSerialGC", "-Xmx300m", "-Xint"}, .cgroup = cgroup.directory()});
  jvm.command("gc");
  auto check = std::async(std::launch::async, [] {
    return run({agent_binary(), "check", "--measure", "24s", "--leak-window", "24s", "--output", "json"}).out;
  });
  while (check.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    jvm.command("retain_more 2");
    jvm.command("gc");
    jvm.command("allocate 2 4");  // takes its time
  }
  EXPECT_THAT(
      check.get(),
      testing::ContainsRegex(fmt::format(
          R"("pid":{},[^}}]*"live_set_growth_bytes_per_second":[1-9][0-9.]*E[4-7],"leak_suspected":true)", jvm.pid())));
}

}  // namespace
}  // namespace manometer::test
