#include "tests/bpf/prompt.h"

#include <sched.h>

#include <gtest/gtest.h>

#include "tests/bpf/clock.h"
#include "tests/bpf/http_load.h"
#include "tests/support/child.h"

namespace manometer::test {
namespace {

TEST(Prompt, LastsAsLongAsItsObject) {
  EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
  {
    const Prompt prompt;
    EXPECT_EQ(::sched_getscheduler(0), SCHED_FIFO);
  }
  EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
}

TEST(Prompt, LoadSendsWhatIsDueAndNothingBefore) {
  Child server({MANOMETER_FAST_HTTP_SERVER});
  Load load;
  load.port = static_cast<uint16_t>(std::stoi(server.read_line().value()));
  load.connections = 8;
  load.count = 500;
  load.rate = 1'000;
  load.waits = Load::Waits::kPrompt;
  load.until = [](const LoadResult&) {
    EXPECT_EQ(::sched_getscheduler(0), SCHED_FIFO);
    return false;
  };
  const uint64_t start = now_ns();
  const LoadResult result = run_load(load);
  EXPECT_GE(now_ns() - start, 499'000'000U);
  EXPECT_EQ(result.answered, 500U);
  EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
}

}  // namespace
}  // namespace manometer::test
