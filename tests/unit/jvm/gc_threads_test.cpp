#include "agent/jvm/gc_threads.h"

#include <chrono>
#include <filesystem>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_node.h"
#include "tests/support/without_root.h"

namespace manometer::jvm {
namespace {

using test::FakeThread;
using testing::HasSubstr;

TEST(GcThreadNames, AreThoseOfEveryCollector) {
  for (const char* name :
       {"GC Thread#0",     "GC Thread#117",   "ParGC Thread#1",  "G1 Main Marker", "G1 Conc#0",       "G1 Refine#12",
        "G1 Service",      "G1 Young RemSet", "CMS Main Thread", "CMS Thread#0",   "ZWorker#3",       "ZWorkerYoung#0",
        "ZWorkerYoung#12", "ZWorkerOld#0",    "ZDriver",         "ZDriverMinor",   "ZDriverMajor",    "ZDirector",
        "ZStat",           "ZUncommitter",    "ZUncommitter#0",  "ZUnmapper",      "XWorker#0",       "XDriver",
        "XDirector",       "XStat",           "XUncommitter",    "XUnmapper",      "RuntimeWorker#1", "Shenandoah GC T",
        "Shenandoah Cont", "ShenandoahContr", "Shenandoah Regu"})
    EXPECT_TRUE(names_gc_thread(name, "")) << name;
}

TEST(GcThreadNames, AreNotThoseOfOtherThreads) {
  for (const char* name : {"", "java", "GC", "GC Thread", "G1", "VM Periodic Tas", "C2 CompilerThre", "Signal Dispatch",
                           "Common-Cleaner", "Monitor Deflati", "Z", "zworker#0", "my GC Thread#0"})
    EXPECT_FALSE(names_gc_thread(name, "Serial")) << name;
}

TEST(GcThreadNames, TheVmThreadCollectsWithSerialOnly) {
  EXPECT_TRUE(names_gc_thread("VM Thread", "Serial"));
  for (const char* collector : {"Parallel", "G1", "ZGC", "Generational ZGC", "Shenandoah", "CMS", "Epsilon", ""})
    EXPECT_FALSE(names_gc_thread("VM Thread", collector)) << collector;
}

/// As of JDK 17 on x86-64: a native thread, a Java thread whose guard glibc's page could have joined, memory of others.
constexpr std::string_view kMaps =
    "00400000-00401000 r-xp 00000000 08:01 7 /usr/bin/java\n"
    "7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n"
    "7f0000001000-7f0000101000 rw-p 00000000 00:00 0 \n"
    "7f0000101000-7f0000105000 ---p 00000000 00:00 0 \n"
    "7f0000105000-7f0000201000 rw-p 00000000 00:00 0 \n"
    "7f0000202000-7f0000206000 ---p 00000000 00:00 0 \n"
    "7f0000207000-7f0000307000 rw-p 00000000 00:00 0 \n"
    "7f0000307000-7f000030b000 r--p 00000000 08:01 8 /lib/x.so\n"
    "7f000030b000-7f000040b000 rw-p 00000000 00:00 0 \n";

std::optional<bool> has_guard(uint64_t stack_pointer, uint64_t page_bytes = 4096) {
  return has_java_guard(*node::parse_maps(kMaps), stack_pointer, page_bytes);
}

TEST(JavaGuard, IsMoreThanOnePageWithoutAccessRightBelowTheStack) {
  EXPECT_EQ(has_guard(0x7f0000105000), true) << "its first byte";
  EXPECT_EQ(has_guard(0x7f0000200fff), true) << "its last";
  EXPECT_EQ(has_guard(0x7f0000100000), false) << "one page";
  EXPECT_EQ(has_guard(0x7f0000300000), false) << "not right below";
  EXPECT_EQ(has_guard(0x7f0000400000), false) << "not without access";
  EXPECT_EQ(has_guard(0x400000), false) << "nothing below";
}

TEST(JavaGuard, IsUnknownWithoutAStack) {
  for (const uint64_t nowhere : {uint64_t{0}, uint64_t{0x7f0000201000}, ~uint64_t{0}})
    EXPECT_FALSE(has_guard(nowhere)) << nowhere;
  EXPECT_FALSE(has_java_guard({}, 1, 4096));
}

TEST(JavaGuard, IsMeasuredByTheKernelsPage) {
  EXPECT_EQ(has_guard(0x7f0000105000, 16384), false);
}

class GcThreadsTest : public testing::Test {
 protected:
  GcThreadsTest() {
    node_.add_jvm({.pid = kPid}, {});
    process_ = *node::ProcFs::open(node_.proc())->process(kPid);
  }

  Result<std::optional<uint64_t>> try_cpu_ns(std::string_view collector = "ZGC") {
    return threads_.cpu_ns(*process_, {.threads = number_of_threads_}, collector, now_);
  }

  /// In the ticks of the files; nullopt: not known.
  std::optional<uint64_t> cpu_ticks(std::string_view collector = "ZGC") {
    const auto ns = try_cpu_ns(collector);
    EXPECT_TRUE(ns.ok()) << ns.error().message();
    if (!ns || !*ns) return std::nullopt;
    return **ns * static_cast<uint64_t>(::sysconf(_SC_CLK_TCK)) / 1'000'000'000;
  }

  void add(const FakeThread& thread) {
    ++number_of_threads_;
    node_.add_thread(kPid, thread);
  }
  void change(const FakeThread& thread) { node_.change_thread(kPid, thread); }
  void end(pid_t id) {
    --number_of_threads_;
    std::filesystem::remove_all(directory(id));
  }
  std::filesystem::path directory(pid_t id) const { return node_.process(kPid) / "task" / std::to_string(id); }

  static constexpr pid_t kPid = 42;
  test::FakeNode node_;
  std::optional<node::Process> process_;
  GcThreads threads_{{.threads = 10, .named = 5}};
  uint32_t number_of_threads_ = 0;
  TimePoint now_;
};

TEST_F(GcThreadsTest, AddsUpTheirTime) {
  add({.id = 42, .name = "java", .cpu_ticks = 1000});
  add({.id = 43, .name = "ZWorker#0", .cpu_ticks = 5});
  add({.id = 44, .name = "ZDriver", .cpu_ticks = 2});
  EXPECT_EQ(cpu_ticks(), 7U);
  change({.id = 43, .name = "ZWorker#0", .cpu_ticks = 15});
  EXPECT_EQ(cpu_ticks(), 17U);
}

TEST_F(GcThreadsTest, IsUnknownIfNoThreadIsKnownToCollect) {
  EXPECT_EQ(cpu_ticks(), std::nullopt) << "nothing to list";
  add({.id = 42, .name = "java", .cpu_ticks = 1000});
  EXPECT_EQ(cpu_ticks(), std::nullopt) << "JDK 8 calls all of them so";
}

TEST_F(GcThreadsTest, TheVmThreadIsSerials) {
  add({.id = 43, .name = "VM Thread", .cpu_ticks = 5});
  EXPECT_EQ(cpu_ticks("Serial"), 5U);
}

TEST_F(GcThreadsTest, AJavaThreadOfSuchANameDoesNotCount) {
  add({.id = 43, .name = "GC Thread#0", .cpu_ticks = 5});
  add({.id = 99, .name = "GC Thread#0", .cpu_ticks = 500, .is_java = true});
  EXPECT_EQ(cpu_ticks(), 5U);
  change({.id = 99, .name = "GC Thread#0", .cpu_ticks = 600, .is_java = true});
  EXPECT_EQ(cpu_ticks(), 5U);
}

TEST_F(GcThreadsTest, AThreadThatRunsCountsOnceItRests) {
  add({.id = 43, .name = "ZWorker#0", .cpu_ticks = 500, .is_running = true});
  add({.id = 44, .name = "ZDriver", .cpu_ticks = 2});
  EXPECT_EQ(cpu_ticks(), 2U);
  change({.id = 43, .name = "ZWorker#0", .cpu_ticks = 510, .is_running = true});
  EXPECT_EQ(cpu_ticks(), 2U);
  change({.id = 43, .name = "ZWorker#0", .cpu_ticks = 520});
  EXPECT_EQ(cpu_ticks(), 22U) << "not what it did before the first look: that would look like 500 at once";
}

TEST_F(GcThreadsTest, IsUnknownWhileAThreadThatMayCollectRunsTooLong) {
  const auto second = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  add({.id = 43, .name = "ZWorker#0", .cpu_ticks = 500, .is_running = true});
  add({.id = 44, .name = "ZDriver", .cpu_ticks = 2});
  EXPECT_EQ(cpu_ticks(), 2U);
  change({.id = 43, .name = "ZWorker#0", .cpu_ticks = 500 + second, .is_running = true});
  EXPECT_EQ(cpu_ticks(), 2U);
  change({.id = 43, .name = "ZWorker#0", .cpu_ticks = 501 + second, .is_running = true});
  EXPECT_EQ(cpu_ticks(), std::nullopt) << "2 would be far too low";
  change({.id = 43, .name = "ZWorker#0", .cpu_ticks = 501 + second});
  EXPECT_EQ(cpu_ticks(), 3 + second);
}

TEST_F(GcThreadsTest, ANewThreadCountsWhollyThoughItRunsAtFirst) {
  add({.id = 43, .name = "ZWorker#0", .cpu_ticks = 5});
  EXPECT_EQ(cpu_ticks(), 5U);
  add({.id = 44, .name = "ZWorker#1", .cpu_ticks = 50, .is_running = true});
  EXPECT_EQ(cpu_ticks(), 5U);
  change({.id = 44, .name = "ZWorker#1", .cpu_ticks = 60});
  EXPECT_EQ(cpu_ticks(), 65U);
}

TEST_F(GcThreadsTest, WhatAnEndedThreadDidStays) {
  add({.id = 43, .name = "ZWorker#0", .cpu_ticks = 5});
  add({.id = 44, .name = "ZWorker#1", .cpu_ticks = 50});
  EXPECT_EQ(cpu_ticks(), 55U);
  end(44);
  EXPECT_EQ(cpu_ticks(), 55U);
  end(43);
  EXPECT_EQ(cpu_ticks(), 55U);
}

TEST_F(GcThreadsTest, AnIdUsedAgainIsAnotherThread) {
  add({.id = 43, .name = "ZWorker#0", .cpu_ticks = 50});
  EXPECT_EQ(cpu_ticks(), 50U);
  change({.id = 43, .name = "GC Thread#0", .cpu_ticks = 7, .start_ticks = 200, .is_running = true});
  EXPECT_EQ(cpu_ticks(), 50U);
  now_ += std::chrono::seconds(10);
  EXPECT_EQ(cpu_ticks(), 50U) << "it runs";
  change({.id = 43, .name = "GC Thread#0", .cpu_ticks = 8, .start_ticks = 200});
  EXPECT_EQ(cpu_ticks(), 58U);
}

TEST_F(GcThreadsTest, AnIdOfAJavaThreadUsedAgainIsAnotherThread) {
  add({.id = 44, .name = "ZDriver", .cpu_ticks = 2});
  add({.id = 43, .name = "GC Thread#0", .cpu_ticks = 50, .is_java = true});
  EXPECT_EQ(cpu_ticks(), 2U);
  end(43);
  now_ += std::chrono::seconds(10);
  EXPECT_EQ(cpu_ticks(), 2U);
  add({.id = 45, .name = "ZWorker#0", .cpu_ticks = 3});
  EXPECT_EQ(cpu_ticks(), 5U);
}

TEST_F(GcThreadsTest, ANameGivenLaterIsSeenLater) {
  add({.id = 43, .name = "java", .cpu_ticks = 5});
  EXPECT_EQ(cpu_ticks(), std::nullopt);
  change({.id = 43, .name = "ZWorker#0", .cpu_ticks = 5});
  EXPECT_EQ(cpu_ticks(), std::nullopt) << "no thread came or went";
  now_ += std::chrono::seconds(10);
  EXPECT_EQ(cpu_ticks(), 5U);
}

TEST_F(GcThreadsTest, TooManyThreadsMakeItUnknownForAWhile) {
  add({.id = 43, .name = "ZWorker#0", .cpu_ticks = 5});
  EXPECT_EQ(cpu_ticks(), 5U);
  for (pid_t id = 100; id < 110; ++id) add({.id = id, .name = "java"});
  EXPECT_THAT(try_cpu_ns().error().message(), HasSubstr("more than 10 threads"));
  for (pid_t id = 100; id < 110; ++id) end(id);
  EXPECT_FALSE(try_cpu_ns().ok()) << "not looked at again so soon";
  now_ += std::chrono::seconds(10);
  EXPECT_EQ(cpu_ticks(), 5U);
}

TEST_F(GcThreadsTest, TooManyOfSuchNamesMakeItUnknown) {
  for (pid_t id = 100; id < 106; ++id) add({.id = id, .name = "GC Thread#0", .is_java = true});
  EXPECT_THAT(try_cpu_ns().error().message(), HasSubstr("more than 5 of its threads"));
}

TEST_F(GcThreadsTest, WithoutTheRightToSeeStacksItIsUnknown) {
  add({.id = 43, .name = "ZWorker#0", .cpu_ticks = 5});
  std::filesystem::permissions(directory(43) / "syscall", std::filesystem::perms::none);
  EXPECT_TRUE(test::without_root([&] {
    const auto ns = try_cpu_ns();
    return !ns.ok() && ns.error().message().starts_with("open task/43/syscall");
  }));
}

TEST_F(GcThreadsTest, MalformedFilesMakeItUnknown) {
  add({.id = 43, .name = "ZWorker#0", .cpu_ticks = 5});
  node_.write("proc/42/task/43/syscall", "\n");
  EXPECT_THAT(try_cpu_ns().error().message(), HasSubstr("malformed"));
}

}  // namespace
}  // namespace manometer::jvm
