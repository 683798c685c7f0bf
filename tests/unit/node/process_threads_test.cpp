#include "agent/node/process_threads.h"

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_node.h"

namespace manometer::node {
namespace {

TEST(ParseSyscall, HasTheStackPointerOfAThreadThatRests) {
  EXPECT_EQ(parse_syscall("202 0x7f50 0x189 0x0 0x0 0x0 0xffffffff 0x7ffc00000f00 0x7f5000000000\n")->stack_pointer,
            0x7ffc00000f00U);
  EXPECT_EQ(parse_syscall("-1 0x7ffc00000f00 0x7f5000000000\n")->stack_pointer, 0x7ffc00000f00U)
      << "a page fault, for instance";
}

TEST(ParseSyscall, ARunningThreadShowsNone) {
  const auto syscall = parse_syscall("running\n");
  ASSERT_TRUE(syscall.ok());
  EXPECT_FALSE(syscall->stack_pointer);
}

TEST(ParseSyscall, RefusesWhatIsMalformed) {
  for (const char* text : {"", "\n", "202", "202 0x1", "-1 7ffc 0x1\n", "-1 0x 0x1\n", "-1 0x1ffffffffffffffff 0x1\n"})
    EXPECT_FALSE(parse_syscall(text).ok()) << text;
}

TEST(ProcessThreads, ReadsThoseOfThisProcess) {
  const auto process = *ProcFs::open("/proc")->process(::getpid());
  const auto ids = thread_ids(*process, 1000);
  ASSERT_TRUE(ids.ok() && *ids);
  EXPECT_THAT(**ids, testing::Contains(::gettid()));
  EXPECT_FALSE((*thread_name(*process, ::gettid()))->ends_with('\n'));
  EXPECT_GT((*thread_stat(*process, ::gettid()))->start_ticks, 0U);
  EXPECT_TRUE(thread_syscall(*process, ::gettid())->has_value());
}

TEST(ProcessThreads, ListsNoMoreThanItIsToldTo) {
  test::FakeNode node;
  node.add_jvm({.pid = 42}, {});
  const auto process = *ProcFs::open(node.proc())->process(42);
  for (const pid_t id : {44, 42, 43}) node.add_thread(42, {.id = id, .name = "java"});
  EXPECT_THAT(**thread_ids(*process, 3), testing::ElementsAre(42, 43, 44));
  EXPECT_THAT(thread_ids(*process, 2).error().message(), testing::HasSubstr("more than 2 threads"));
}

TEST(ProcessThreads, GoneIsNotAnError) {
  test::FakeNode node;
  node.add_jvm({.pid = 42}, {});
  const auto process = *ProcFs::open(node.proc())->process(42);
  EXPECT_FALSE(*thread_ids(*process, 9));
  EXPECT_FALSE(*thread_name(*process, 43));
  EXPECT_FALSE(*thread_stat(*process, 43));
  EXPECT_FALSE(*thread_syscall(*process, 43));
}

}  // namespace
}  // namespace manometer::node
