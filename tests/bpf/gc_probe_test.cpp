// What the programs for JVMs keep of them and their threads. The JVM is this process.

#include "agent/probes/gc_probe.h"

#include <chrono>
#include <cstdint>
#include <dlfcn.h>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <thread>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include "agent/base/unique_fd.h"
#include "bpf/gc_blocked.h"
#include "tests/support/bpf_objects.h"

namespace manometer::test {
namespace {

class GcProbeTest : public testing::Test {
 protected:
  static constexpr pid_t kPid = 7;

  void SetUp() override {
    auto probe = probes::GcProbe::open(own_pid_namespace(), {1000}, 2);
    ASSERT_TRUE(probe.ok()) << probe.error().message();
    probe_ = *std::move(probe);
    ASSERT_TRUE(probe_->watch(kPid, {}).ok());
  }

  int map(const char* name) const { return ::bpf_map__fd(::bpf_object__find_map_by_name(probe_->object(), name)); }

  std::unique_ptr<probes::GcProbe> probe_;
};

TEST_F(GcProbeTest, BeginsFromNothingWithEachWatch) {
  const gc_histogram_key key{kPid, 0};
  latency_histogram pauses{};
  pauses.counts[0] = 100;
  ASSERT_EQ(::bpf_map_update_elem(map("gc_histograms"), &key, &pauses, BPF_ANY), 0);
  ASSERT_TRUE(probe_->watch(kPid, {}).ok());
  EXPECT_NE(::bpf_map_lookup_elem(map("gc_histograms"), &key, &pauses), 0);
}

/// A JVM that starts slowly shows its counters after it was looked at.
TEST_F(GcProbeTest, TakesOtherWordsAndKeepsWhatItCounted) {
  gc_process process = *probe_->read(kPid);
  process.safepoints = 3;
  constexpr pid_t kKey = kPid;
  ASSERT_EQ(::bpf_map_update_elem(map("gc_processes"), &kKey, &process, BPF_EXIST), 0);
  gc_words words{};
  words.cause = 4711;
  probe_->set_words(kPid, words);
  EXPECT_EQ(probe_->read(kPid)->words.cause, 4711U);
  EXPECT_EQ(probe_->read(kPid)->safepoints, 3U);
  probe_->set_words(kPid + 1, words);
  EXPECT_FALSE(probe_->read(kPid + 1)) << "who is not watched";
}

TEST_F(GcProbeTest, TakesNoMoreThanItWasMadeFor) {
  ASSERT_TRUE(probe_->watch(kPid + 1, {}).ok());
  EXPECT_FALSE(probe_->watch(kPid + 2, {}).ok());
  EXPECT_TRUE(probe_->read(kPid));
  probe_->forget(kPid);
  EXPECT_TRUE(probe_->watch(kPid + 2, {}).ok());
}

/// This process as a JVM, which calls functions of a library that we attach to.
class CollectorTest : public GcProbeTest {
 protected:
  void SetUp() override {
    GcProbeTest::SetUp();
    const UniqueFd file(::open(MANOMETER_FAKE_HOTSPOT, O_RDONLY | O_CLOEXEC));
    const auto sites = probes::find_libjvm_sites(file.get());
    ASSERT_TRUE(sites.ok()) << sites.error().message();
    auto attached = probe_->attach(file.get(), *sites);
    ASSERT_TRUE(attached.ok()) << attached.error().message();
    attachment_ = *std::move(attached);
    ASSERT_TRUE(probe_->watch(::getpid(), {}).ok());
  }

  static void call(const char* name, bool third = false) {
    void* const library = ::dlopen(MANOMETER_FAKE_HOTSPOT, RTLD_NOW);
    reinterpret_cast<void (*)(void*, void*, bool)>(::dlsym(library, name))(nullptr, nullptr, third);
  }
  gc_process now() const { return *probe_->read(::getpid()); }

  std::optional<probes::GcProbe::Attachment> attachment_;
};

class ShenandoahTest : public CollectorTest {
 protected:
  static void block() { call("_ZN23ShenandoahControlThread20handle_alloc_failureER22ShenandoahAllocRequest"); }
  static void block_if(bool waits) {
    call("_ZN20ShenandoahController20handle_alloc_failureERK22ShenandoahAllocRequestb", waits);
  }
  static void unblock() { call("_ZN20ShenandoahController28notify_alloc_failure_waitersEv"); }
  static void abreast() { call("_ZN25ShenandoahCollectorPolicy25record_success_concurrentEv"); }
};

uint64_t monotonic_ns() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

TEST_F(ShenandoahTest, AllWhoWaitGoOnTogether) {
  const uint64_t start = monotonic_ns();
  block();
  const uint64_t begun = monotonic_ns();
  std::thread(block).join();
  EXPECT_EQ(now().stalls, 0U);
  const uint64_t before = monotonic_ns();
  unblock();
  const uint64_t end = monotonic_ns();
  EXPECT_EQ(now().stalls, 2U);
  EXPECT_GE(now().stall_ns, before - begun);
  EXPECT_LE(now().stall_ns, 2 * (end - start));
  const gc_process once = now();
  unblock();
  EXPECT_EQ(now().stalls, once.stalls);
  EXPECT_EQ(now().stall_ns, once.stall_ns) << "nobody waited";
}

TEST_F(ShenandoahTest, OnlyThoseWaitThatAreAskedTo) {
  block_if(false);
  unblock();
  EXPECT_EQ(now().stalls, 0U);
  block_if(true);
  unblock();
  EXPECT_EQ(now().stalls, 1U);
}

TEST_F(ShenandoahTest, WhoIsBackHasNotWaitedSince) {
  block();
  const uint64_t middle = monotonic_ns();
  block();
  EXPECT_EQ(now().stalls, 1U);
  const uint64_t first = now().stall_ns;
  unblock();
  EXPECT_EQ(now().stalls, 2U);
  EXPECT_LE(now().stall_ns - first, monotonic_ns() - middle) << "counted once";
  EXPECT_EQ(now().blocked, 0U);
}

TEST_F(ShenandoahTest, WhoCameTooLateHasNotWaited) {
  unblock();
  block();
  abreast();
  EXPECT_EQ(now().stalls, 1U);
  EXPECT_EQ(now().stall_ns, 0U);
  EXPECT_EQ(now().blocked, 0U);
}

TEST_F(ShenandoahTest, NothingIsKeptOfAProcessBeforeIt) {
  block();
  ASSERT_TRUE(probe_->watch(::getpid(), {}).ok());
  block();
  EXPECT_EQ(now().stalls, 0U);
  unblock();
  EXPECT_EQ(now().stalls, 1U);
}

/// That of JDK 11, where threads wait within a function that others only pass through.
class OldZgcTest : public CollectorTest {
 protected:
  static void take_page() { call("_ZN14ZPageAllocator19alloc_page_blockingEhm16ZAllocationFlags"); }
  static void note_wait() { call("_ZNK18ZStatCriticalPhase12register_endEP17ConcurrentGCTimerRK5TicksS4_"); }
  static void have_page() { call("_ZN5ZPage5resetEv"); }
};

TEST_F(OldZgcTest, WhoHasAPageAtOnceHasNotWaited) {
  take_page();
  have_page();
  note_wait();
  EXPECT_EQ(now().stalls, 0U) << "that wait was for something else";
  EXPECT_EQ(now().stall_ns, 0U);
}

TEST_F(OldZgcTest, WhoWaitsForAPageWaitsUntilThatIsNoted) {
  const uint64_t start = monotonic_ns();
  take_page();
  const uint64_t begun = monotonic_ns();
  std::thread([] {
    take_page();
    have_page();
  }).join();
  const uint64_t before = monotonic_ns();
  note_wait();
  const uint64_t end = monotonic_ns();
  have_page();
  EXPECT_EQ(now().stalls, 1U);
  EXPECT_GE(now().stall_ns, before - begun);
  EXPECT_LE(now().stall_ns, end - start);
}

TEST(Blocked, AddUpWhateverTheClockSays) {
  for (const uint64_t clock : {0ULL, 1ULL << 47U, 1ULL << 48U, ~0ULL - 5'000'000}) {
    const uint64_t blocked = gc_blocked(clock) + gc_blocked(clock + 1'000);
    EXPECT_EQ(gc_blocked_threads(blocked), 2U);
    EXPECT_EQ(gc_blocked_ns(blocked, clock + 5'000), 9'000U) << clock;
    EXPECT_EQ(gc_blocked_ns(blocked, clock), 0U) << "one of them has not begun";
  }
}

}  // namespace
}  // namespace manometer::test
