// The cgroup of a JVM: what the kernel accounts to it, and what it may use.

#include <csignal>
#include <filesystem>

#include <gtest/gtest.h>

#include "tests/java/cgroup.h"
#include "tests/java/odd.h"
#include "tests/support/skip.h"

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

}  // namespace
}  // namespace manometer::test
