// The programs for stalls, run one by one in the order in which a kernel might, by BPF_PROG_TEST_RUN.

#include <chrono>
#include <optional>
#include <stdexcept>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include "agent/bpf/skeleton.h"
#include "agent/container/index.h"
#include "agent/node/proc_fs.h"
#include "bpf/memory.h"
#include "memory.skel.h"

namespace manometer::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

uint64_t own_cgroup() {
  LogOnce log;
  container::Index containers(*node::find_cgroup_mount(), log);
  const auto lines = (*node::ProcFs::open("/proc")->process(::getpid()))->cgroup();
  const auto& memory = containers.all().at(containers.acquire(**lines)).memory;
  if (!memory || !memory->id()) throw std::runtime_error("this process has no memory cgroup");
  return *memory->id();
}

/// From now on libbpf takes our kind of programs for one that the kernel gives test runs to.
void load_as_raw_tracepoints() {
  // Once: libbpf 1.1 crashes when a handler is registered after the last was unregistered.
  static const int kHandler = ::libbpf_register_prog_handler("tp_btf+", BPF_PROG_TYPE_RAW_TRACEPOINT, {}, nullptr);
  ASSERT_GT(kHandler, 0);
}

class MemoryRuns : public testing::Test {
 protected:
  void SetUp() override {
    load_as_raw_tracepoints();
    auto opened = bpf::Skeleton<memory_bpf>::open();
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    skeleton_ = *std::move(opened);
    ::bpf_map__set_max_entries(object().maps.memory_stalled, 2);
    ::bpf_program__set_autoload(object().progs.mark_victim, false);
    ::bpf_program__set_autoload(object().progs.victim_exit, false);
    ASSERT_EQ(memory_bpf::load(&object()), 0);
    constexpr memory_counts kNone{};
    ASSERT_EQ(::bpf_map_update_elem(::bpf_map__fd(object().maps.memory_cgroups), &cgroup_, &kNone, BPF_ANY), 0);
  }

  memory_bpf& object() { return *(*skeleton_).operator->(); }
  auto& programs() { return object().progs; }
  static void run(const bpf_program* program) {
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    ASSERT_EQ(::bpf_prog_test_run_opts(::bpf_program__fd(program), &options), 0);
  }
  memory_counts counts() {
    memory_counts counts{};
    EXPECT_EQ(::bpf_map_lookup_elem(::bpf_map__fd(object().maps.memory_cgroups), &cgroup_, &counts), 0);
    return counts;
  }
  uint64_t lost() { return object().bss->memory_events_lost; }

  uint64_t cgroup_ = own_cgroup();
  std::optional<bpf::Skeleton<memory_bpf>> skeleton_;
};

TEST_F(MemoryRuns, OneReclaimWithinAnotherIsCountedOnce) {
  const auto begin = Clock::now();
  run(programs().memcg_begin);
  run(programs().direct_begin);
  run(programs().direct_end);
  EXPECT_EQ(counts().reclaim_ns, 0U) << "it goes on";
  run(programs().memcg_end);
  const uint64_t once = counts().reclaim_ns;
  EXPECT_LE(nanoseconds(once), Clock::now() - begin);
  EXPECT_GT(once, 0U);
  run(programs().memcg_end);
  run(programs().direct_end);
  EXPECT_EQ(counts().reclaim_ns, once);
  EXPECT_EQ(counts().compaction_ns, 0U);
}

TEST_F(MemoryRuns, CompactionHasACounterOfItsOwn) {
  run(programs().direct_begin);
  run(programs().compact_begin);
  run(programs().compact_end);
  EXPECT_GT(counts().compaction_ns, 0U);
  EXPECT_EQ(counts().reclaim_ns, 0U);
  run(programs().direct_end);
  EXPECT_GT(counts().reclaim_ns, counts().compaction_ns) << "which was within it";
  EXPECT_EQ(lost(), 0U);
}

TEST_F(MemoryRuns, AnEndThatWasMissedIsNotMadeUpFor) {
  run(programs().memcg_begin);
  const auto begin = Clock::now();
  run(programs().memcg_begin);
  run(programs().memcg_end);
  EXPECT_GT(counts().reclaim_ns, 0U);
  EXPECT_LE(nanoseconds(counts().reclaim_ns), Clock::now() - begin);
}

TEST_F(MemoryRuns, WhatFindsTheMapFullIsCountedAsLost) {
  uint64_t other[2] = {1, 0};
  uint64_t since[3] = {};
  for (other[0] = 1; other[0] <= 2; ++other[0])
    ASSERT_EQ(::bpf_map_update_elem(::bpf_map__fd(object().maps.memory_stalled), other, since, BPF_ANY), 0);
  run(programs().direct_begin);
  EXPECT_EQ(lost(), 1U);
  run(programs().direct_end);
  EXPECT_EQ(counts().reclaim_ns, 0U);
}

TEST_F(MemoryRuns, OtherCgroupsAreNotLookedAt) {
  ASSERT_EQ(::bpf_map_delete_elem(::bpf_map__fd(object().maps.memory_cgroups), &cgroup_), 0);
  run(programs().direct_begin);
  uint64_t first[2];
  EXPECT_NE(::bpf_map_get_next_key(::bpf_map__fd(object().maps.memory_stalled), nullptr, first), 0);
}

}  // namespace
}  // namespace manometer::test
