// A real JVM in what looks like a pod: the cgroup, the kubelet's mount, and its files below /var/log.

#include <filesystem>

#include <gtest/gtest.h>

#include "tests/java/cgroup.h"
#include "tests/java/odd.h"
#include "tests/support/skip.h"
#include "tests/support/temp_dir.h"

namespace manometer::test {
namespace {

namespace fs = std::filesystem;

using JvmInAPod = JvmTest;

/// Series that have these labels, of what each of the agent's parts measures.
size_t series_of(const Scraped& scraped, const LabelMap& container, const std::string& pid) {
  LabelMap process = container;
  process["pid"] = pid;
  return scraped.all("manometer_container_memory_usage_bytes", container).size() +
         scraped.all("manometer_jvm_threads", process).size() +
         scraped.all("manometer_container_reclaim_stall_seconds_total", container).size();
}

TEST_F(JvmInAPod, GetsItsNamesInAllSeriesAtOnce) {
  if (const auto why = Cgroup::unavailable()) MANOMETER_SKIP(*why);
  const std::string uid = "a3b200c9-db51-40b4-9d2d-53f8fdf80d7f";
  const std::string id = "286b15051ec43375190802e1f40562536980a8fd97e75bb89c7f2eec6f995f17";
  const Cgroup node;
  const Cgroup pod(&node, "pod" + uid);
  const Cgroup container(&pod, id);
  const TempDir kubelet;
  fs::permissions(kubelet.path(), fs::perms(0777));
  kubelet.write("pods/" + uid + "/containers/app/1f8a2c3d", "");
  Jvm jvm(jdk(), {.cgroup = container.directory(),
                  .tmp = kubelet.path(),
                  .mounts = "touch /tmp/termination-log\nmount --bind /tmp/pods/" + uid +
                            "/containers/app/1f8a2c3d /tmp/termination-log"});
  const TempDir log;
  fs::create_directories(log.path() / "pods");

  const Agent agent({"--host-log", log.path(), "--sample-interval", "100ms", "--scan-interval", "60m"});
  jvm.command("threads 3");
  const std::string pid = jvm.labels().at("pid");
  const LabelMap by_cgroup{{"container", id}};
  const size_t all = agent.scrape().value("manometer_probe_attached", {{"probe", "memory"}}) == 1 ? 3 : 2;
  const auto is_unnamed = [&](const Scraped& scraped) { return series_of(scraped, by_cgroup, pid) == all; };
  const Scraped before = agent.scrape_until(is_unnamed);
  ASSERT_TRUE(is_unnamed(before)) << agent.get("/metrics");
  EXPECT_TRUE(before.all("manometer_jvm_threads", {{"container", id}, {"pod", "web-0"}}).empty());

  fs::create_directories(log.path() / "new/app");
  fs::rename(log.path() / "new", log.path() / "pods" / ("shop_web-0_" + uid));
  const LabelMap named{{"namespace", "shop"}, {"pod", "web-0"}, {"container", "app"}};
  const auto has_names = [&](const Scraped& scraped) { return series_of(scraped, named, pid) > 0; };
  const Scraped after = agent.scrape_until(has_names);
  EXPECT_EQ(series_of(after, named, pid), all) << agent.get("/metrics");
  EXPECT_EQ(series_of(after, by_cgroup, pid), 0U);
}

}  // namespace
}  // namespace manometer::test
