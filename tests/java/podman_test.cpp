// A JVM in a container of podman, the runtime that needs no daemon: its series have the container's own cgroup.

#include <gtest/gtest.h>

#include "tests/java/odd.h"
#include "tests/support/skip.h"
#include "tests/support/source_path.h"

namespace manometer::test {
namespace {

constexpr uint64_t kMegabyte = 1 << 20;

/// Workload.java in a container. That ends with the object.
class Container {
 public:
  explicit Container(const Jdk& jdk)
      : child_({source_path("tests/java/in-podman"), kFiles + jdk.java(jdk.directory), "-Xmx76m", "-cp",
                kFiles + *workload_classes(), "Workload"}) {}
  ~Container() { end(); }
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  std::optional<std::string> read_id() { return child_.read_line(); }
  std::string errors() { return child_.read_all_errors(); }
  std::optional<int> end() {
    child_.close_stdin();
    return child_.wait();
  }

 private:
  inline static const std::string kFiles = "/host";  // this machine's

  Child child_;
};

using JvmInPodman = JvmTest;

TEST_F(JvmInPodman, HasTheContainersCgroup) {
  Container container(jdk());
  const auto id = container.read_id();
  if (!id) MANOMETER_SKIP("no podman: " + container.errors());
  const LabelMap cgroup{{"container", "libpod-" + *id}};
  LabelMap jvm = cgroup;
  jvm["pid"] = "1";

  const Agent agent({"--sample-interval", "100ms"});
  const auto is_read = [&](const Scraped& now) { return is_read_by(now, jvm, "hsperfdata"); };
  const Scraped scraped = agent.scrape_until(is_read);
  ASSERT_TRUE(is_read(scraped)) << agent.get("/metrics");
  EXPECT_EQ(scraped.value("manometer_jvm_heap_max_bytes", jvm), 76 * kMegabyte);
  EXPECT_EQ(scraped.value("manometer_container_memory_limit_bytes", cgroup), 256 * kMegabyte);

  EXPECT_EQ(container.end(), 0);
  const auto is_forgotten = [&](const Scraped& now) { return is_gone(now, cgroup); };
  EXPECT_TRUE(is_forgotten(agent.scrape_until(is_forgotten)));
}

}  // namespace
}  // namespace manometer::test
