// What the kernel's verifier has to walk through to load our programs, which `./dev test` prints, and that it has
// nothing to say against them.

#include <array>
#include <cstring>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <limits>
#include <map>
#include <string>

#include <boost/asio/io_context.hpp>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include "agent/base/unique_fd.h"
#include "agent/bpf/skeleton.h"
#include "agent/probes/gc_probe.h"
#include "agent/probes/memory_probe.h"
#include "agent/probes/process_probe.h"
#include "agent/probes/request_probe.h"
#include "gc.skel.h"
#include "memory.skel.h"
#include "process.skel.h"
#include "request.skel.h"
#include "tests/bpf/effort.h"

namespace manometer::test {
namespace {

constexpr uint64_t kLimit = 1'000'000;  // the kernel's BPF_COMPLEXITY_LIMIT_INSNS
constexpr uint32_t kLogStatistics = 4;  // BPF_LOG_STATS

using Log = std::array<char, 8192>;

/// "processed 4711 insns (limit 1000000) ..."; 0 if the log does not say.
uint64_t processed(const Log& log) {
  constexpr const char* kWord = "processed ";
  const char* at = std::strstr(log.data(), kWord);
  return at == nullptr ? 0 : std::strtoull(at + std::strlen(kWord), nullptr, 10);
}

/// Loads the programs and says of each what it took.
template <typename Object>
void expect_far_from_limit(const std::string& title, Object& object) {
  std::map<const bpf_program*, Log> logs;
  bpf_program* program = nullptr;
  while ((program = ::bpf_object__next_program(object.obj, program)) != nullptr) {
    Log& log = logs[program];
    ::bpf_program__set_log_buf(program, log.data(), log.size());
    ::bpf_program__set_log_level(program, kLogStatistics);
  }
  ASSERT_EQ(Object::load(&object), 0);
  for (const auto& [loaded, log] : logs) {
    if (!::bpf_program__autoload(loaded)) continue;
    bpf_prog_info info{};
    __u32 size = sizeof(info);
    ASSERT_EQ(::bpf_obj_get_info_by_fd(::bpf_program__fd(loaded), &info, &size), 0);
    std::cout << std::left << std::setw(20) << title << std::setw(16) << ::bpf_program__name(loaded) << std::right
              << " verified " << std::setw(6) << processed(log) << "  instructions " << std::setw(5)
              << info.xlated_prog_len / sizeof(bpf_insn) << "  native bytes " << std::setw(6) << info.jited_prog_len
              << '\n';
    EXPECT_GT(processed(log), 0U) << log.data();
    EXPECT_LT(processed(log), kLimit / 2) << ::bpf_program__name(loaded);
  }
}

void load_requests(const std::string& title, bool by_cookie) {
  auto opened = bpf::Skeleton<request_bpf>::open();
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  request_bpf& object = *opened->operator->();
  object.rodata->by_cookie = by_cookie;
  object.rodata->has_routes = true;
  object.rodata->agent_pid_namespace = 1;  // the longer way
  object.rodata->max_series = REQUEST_SERIES;
  const UniqueFd like(::bpf_map_create(BPF_MAP_TYPE_ARRAY, "request_entries", sizeof(uint32_t), sizeof(request_entry),
                                       REQUEST_ENTRY_DURATIONS + REQUEST_SERIES + 1, nullptr));
  ASSERT_EQ(::bpf_map__set_inner_map_fd(object.maps.request_targets, like.get()), 0);
  expect_far_from_limit(title, object);
}

TEST(Verifier, IsFarFromItsLimitWithTheProcessProgram) {
  auto opened = bpf::Skeleton<process_bpf>::open();
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  (*opened)->rodata->agent_pid_namespace = 1;
  expect_far_from_limit("process", *opened->operator->());
}

void load_gc(const std::string& title, bool at_once) {
  auto opened = bpf::Skeleton<gc_bpf>::open();
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  (*opened)->rodata->agent_pid_namespace = 1;
  probes::GcProbe::choose_programs((*opened)->obj, at_once);
  expect_far_from_limit(title, *opened->operator->());
}

TEST(Verifier, IsFarFromItsLimitWithTheGcPrograms) {
  const auto probe = probes::GcProbe::open(0, {}, 1);
  ASSERT_TRUE(probe.ok()) << probe.error().message();
  load_gc("gc one by one", false);
  if ((*probe)->at_once()) load_gc("gc at once", true);
}

TEST(Verifier, IsFarFromItsLimitWithTheMemoryPrograms) {
  auto opened = bpf::Skeleton<memory_bpf>::open();
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  expect_far_from_limit("memory", *opened->operator->());
}

TEST(Verifier, IsFarFromItsLimitWithTheRequestPrograms) {
  const auto probe = probes::RequestProbe::open({});
  ASSERT_TRUE(probe.ok()) << probe.error().message();
  load_requests("request by cookie", true);
  if (!(*probe)->by_cookie()) load_requests("request by storage", false);
}

TEST(Requests, TakeRoomForConnectionsOnlyWhereTheKernelDoesNotKeepThemWithTheirSockets) {
  constexpr uint32_t kConnections = 100;
  probes::RequestProbe::Options options;
  options.connections = kConnections;
  const auto probe = probes::RequestProbe::open(options);
  ASSERT_TRUE(probe.ok()) << probe.error().message();
  const bpf_map* const map = ::bpf_object__find_map_by_name((*probe)->object(), "request_sockets_by_cookie");
  ASSERT_NE(map, nullptr);
  EXPECT_EQ(::bpf_map__max_entries(map), (*probe)->by_cookie() ? kConnections : 1);
}

/// A kernel that is told to panic at its own warnings would go down by them.
TEST(Kernel, IsNotMadeToWarn) {
  const auto has_warned = [] {
    constexpr unsigned kWarned = 1U << 9U;  // Documentation/admin-guide/tainted-kernels.rst
    unsigned taint = 0;
    std::ifstream("/proc/sys/kernel/tainted") >> taint;
    return (taint & kWarned) != 0;
  };
  const bool before = has_warned();
  // It warns once only: in a virtual machine, which has just been started, nobody else can have made it.
  EXPECT_FALSE(before && is_emulated());
  const auto memory = probes::MemoryProbe::open();
  const auto gc = probes::GcProbe::open(0, {}, 1);
  const auto request = probes::RequestProbe::open({});
  boost::asio::io_context loop;
  const auto process = probes::ProcessProbe::open(loop, 0, [](const process_event&) {});
  EXPECT_TRUE(memory.ok() && gc.ok() && request.ok() && process.ok());
  EXPECT_EQ(has_warned(), before);
}

}  // namespace
}  // namespace manometer::test
