// The whole /metrics of a fake node, so that a change to any series shows in review. MANOMETER_UPDATE_GOLDEN=1 rewrites
// the files.

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "agent/base/text.h"
#include "tests/support/agent.h"
#include "tests/support/fake_node.h"
#include "tests/support/golden.h"
#include "tests/support/perf_data.h"

namespace manometer {
namespace {

using test::FakeNode;
using test::PerfData;

/// Families whose values are the agent's own or the clock's.
bool differs_every_time(std::string_view line) {
  constexpr std::array kFamilies{"process_", "manometer_collector_duration_seconds", "manometer_jvm_sample_age_seconds",
                                 "manometer_build_info"};
  if (line.starts_with('#')) return false;
  return std::ranges::any_of(kFamilies, [&](std::string_view family) { return line.starts_with(family); });
}

std::string without_what_differs(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view line = take_until(text, '\n');
    if (!differs_every_time(line)) out += std::string(line) + '\n';
  }
  return out;
}

ptrdiff_t series_of(std::string_view text, std::string_view start) {
  ptrdiff_t count = 0;
  while (!text.empty()) count += take_until(text, '\n').starts_with(start) ? 1 : 0;
  return count;
}

void add_jvm(FakeNode& node, pid_t pid, const std::string& fixture, const std::string& cgroup) {
  node.add_jvm({.pid = pid, .namespace_pid = pid, .cgroup = cgroup}, PerfData::from_fixture(fixture).build());
}

/// Of the JVMs below, those that can be read.
constexpr ptrdiff_t kReadable = 8;

/// JVMs of all kinds, in the cgroups /shop (two) and /batch, and some that cannot be read.
void add_jvms(FakeNode& node, const std::string& prefix) {
  const std::string shop = prefix + "/shop\n";
  const std::string batch = prefix + "/batch\n";
  add_jvm(node, 101, "17-g1", shop);
  add_jvm(node, 102, "8-cms", shop);
  add_jvm(node, 103, "25-serial", batch);
  add_jvm(node, 104, "17-zgc", batch);
  add_jvm(node, 105, "25-generational-zgc", batch);
  add_jvm(node, 106, "21-shenandoah", batch);
  node.add_jvm({.pid = 107, .namespace_pid = 107, .cgroup = batch}, std::vector(32768, std::byte{1}));
  node.add_jvm({.pid = 108, .namespace_pid = 108, .cgroup = batch}, {});
  add_jvm(node, 110, "25-parallel", batch);
  node.add_thread(101, {.id = 101, .name = "java", .cpu_ticks = 900});
  node.add_thread(101, {.id = 102, .name = "GC Thread#0", .cpu_ticks = 150});
  node.add_thread(104, {.id = 105, .name = "ZWorker#0", .cpu_ticks = 20});
  node.add_thread(104, {.id = 106, .name = "ZDriver", .cpu_ticks = 5});
  node.add_thread(104, {.id = 107, .name = "GC Thread#0", .cpu_ticks = 5000, .is_java = true});
  node.add_thread(106, {.id = 107, .name = "Shenandoah GC T", .cpu_ticks = 30, .is_running = true});
  node.add_jvm({.pid = 109, .namespace_pid = 101, .cgroup = shop}, PerfData::from_fixture("11-parallel").build());
}

/// One more, in a pod's container.
void add_pod(FakeNode& node) {
  const std::string uid = "a3b200c9-db51-40b4-9d2d-53f8fdf80d7f";
  const std::string id = "286b15051ec43375190802e1f40562536980a8fd97e75bb89c7f2eec6f995f17";
  const std::string cgroup =
      fmt::format("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice/cri-containerd-{}.scope",
                  "a3b200c9_db51_40b4_9d2d_53f8fdf80d7f", id);
  add_jvm(node, 111, "17-g1", "0::" + cgroup + "\n");
  node.write("cgroup" + cgroup + "/cgroup.procs", "");
  node.write("cgroup" + cgroup + "/memory.current", "700000000\n");
  node.write("log/pods/shop_web-0_" + uid + "/app/0.log", "");
  node.write("log/containers/README", "");
  std::filesystem::create_symlink("/var/log/pods/shop_web-0_" + uid + "/app/0.log",
                                  node.path() / "log/containers" / ("web-0_shop_app-" + id + ".log"));
}

/// With windows short enough to be waited for. readable: JVMs of which everything can be read.
std::string metrics_of(const FakeNode& node, ptrdiff_t readable) {
  const test::Agent agent({"--variant", "sidecar", "--host-proc", node.proc(), "--host-cgroup", node.cgroup(),
                           "--host-log", node.log(), "--sample-interval", "100ms", "--pressure-window", "1s",
                           "--leak-window", "1s"});
  std::string text;
  const auto is_complete = [&] {
    text = agent.get("/metrics");
    return series_of(text, "manometer_jvm_leak_suspected{") == readable &&
           series_of(text, "manometer_jvm_memory_pressure_ratio{") == readable;
  };
  EXPECT_TRUE(test::eventually(is_complete));
  EXPECT_EQ(agent.get("/readyz"), "ready\n");
  return without_what_differs(text);
}

TEST(GoldenMetrics, OfANodeWithCgroupV1) {
  FakeNode node;
  add_jvms(node, "4:memory:");
  for (const std::string cgroup : {"cgroup/memory/shop/", "cgroup/memory/batch/"}) {
    node.write(cgroup + "cgroup.procs", "");
    node.write(cgroup + "memory.limit_in_bytes", "1073741824\n");
    node.write(cgroup + "memory.usage_in_bytes", "700000000\n");
    node.write(cgroup + "memory.kmem.usage_in_bytes", "10000000\n");
    node.write(cgroup + "memory.failcnt", "3\n");
    node.write(cgroup + "memory.stat",
               "total_rss 500000000\ntotal_shmem 1000\ntotal_inactive_file 90000000\ntotal_pgmajfault 12\n");
    node.write(cgroup + "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  }
  test::expect_golden_file(test::source_path("tests/golden/metrics-v1.txt"), metrics_of(node, kReadable));
}

TEST(GoldenMetrics, OfANodeWithCgroupV2) {
  FakeNode node;
  add_jvms(node, "0::");
  node.write("cgroup/cgroup.controllers", "memory\n");
  for (const std::string cgroup : {"cgroup/shop/", "cgroup/batch/"}) {
    node.write(cgroup + "cgroup.procs", "");
    node.write(cgroup + "memory.max", "1073741824\n");
    node.write(cgroup + "memory.current", "700000000\n");
    node.write(cgroup + "memory.stat",
               "anon 500000000\nkernel 10000000\nshmem 1000\ninactive_file 90000000\npgmajfault 12\n");
    node.write(cgroup + "memory.events", "low 0\nhigh 2\nmax 3\noom 1\noom_kill 1\n");
    node.write(cgroup + "memory.pressure", "some avg10=0.00 total=1500000\nfull avg10=0.00 total=500000\n");
  }
  add_pod(node);
  test::expect_golden_file(test::source_path("tests/golden/metrics-v2.txt"), metrics_of(node, kReadable + 1));
}

}  // namespace
}  // namespace manometer
