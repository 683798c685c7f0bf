// A /proc of another pid namespace than ours: its pids are other processes here.

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/node/process_sockets.h"
#include "tests/support/forked.h"

namespace manometer::node {
namespace {

/// Why a process of that /proc cannot be seen; "seen" or "gone" if it can.
std::string refusal(const ProcFs& proc, pid_t pid) {
  const auto process = proc.process(pid);
  const auto counts = visit_server_sockets(**process, [](const ServerSocket&) {});
  if (!counts) return counts.error().message();
  return *counts ? "seen" : "gone";
}

/// Runs work as process 1 of a new pid namespace, which still sees the old one's /proc.
std::string in_new_pid_namespace(const std::function<std::string()>& work) {
  std::string said = "cannot unshare";
  return test::Forked([&] {
           if (::unshare(CLONE_NEWPID) == 0) said = test::Forked(work).said();
           return said;
         })
      .said();
}

TEST(ForeignPids, AreRefused) {
  const auto proc = ProcFs::open("/proc");
  ASSERT_TRUE(proc.ok());
  const test::Forked other([] { return ""; });
  for (const pid_t pid : {other.pid(), 1}) {  // the one names nobody in there, the other the process itself
    EXPECT_THAT(in_new_pid_namespace([&] { return refusal(*proc, pid); }), testing::HasSubstr("pid namespace"));
  }
  EXPECT_EQ(refusal(*proc, other.pid()), "seen");
}

}  // namespace
}  // namespace manometer::node
