#include "agent/base/blocking_pool.h"

#include <future>
#include <memory>
#include <set>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "tests/support/child.h"

namespace manometer {
namespace {

/// Runs the loop until condition is true; false if it never is.
bool run_until(boost::asio::io_context& loop, const std::function<bool()>& condition) {
  return test::eventually([&] {
    loop.restart();
    loop.run_for(std::chrono::milliseconds(10));
    return condition();
  });
}

TEST(BlockingPool, RunsElsewhereAndAnswersOnTheLoop) {
  boost::asio::io_context loop;
  BlockingPool pool(loop);
  std::thread::id worked;
  std::thread::id answered;
  pool.run([] { return std::this_thread::get_id(); },
           [&](std::thread::id id) {
             worked = id;
             answered = std::this_thread::get_id();
           });
  ASSERT_TRUE(run_until(loop, [&] { return answered != std::thread::id(); }));
  EXPECT_EQ(answered, std::this_thread::get_id());
  EXPECT_NE(worked, answered);
}

TEST(BlockingPool, TakesAndGivesWhatCanOnlyBeMoved) {
  boost::asio::io_context loop;
  BlockingPool pool(loop);
  std::unique_ptr<int> got;
  pool.run([given = std::make_unique<int>(7)]() mutable { return std::move(given); },
           [&](std::unique_ptr<int> result) { got = std::move(result); });
  ASSERT_TRUE(run_until(loop, [&] { return got != nullptr; }));
  EXPECT_EQ(*got, 7);
}

TEST(BlockingPool, JobsThatHangDoNotHoldUpTheOthers) {
  boost::asio::io_context loop;
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  BlockingPool pool(loop);
  constexpr int kHanging = 5;
  int returned = 0;
  bool other = false;
  for (int i = 0; i < kHanging; ++i) {
    pool.run(
        [released] {
          released.wait();
          return 0;
        },
        [&](int) { ++returned; });
  }
  pool.run([] { return 0; }, [&](int) { other = true; });
  EXPECT_TRUE(run_until(loop, [&] { return other; }));
  EXPECT_TRUE(run_until(loop, [&] { return pool.stuck() == kHanging; }));
  EXPECT_EQ(returned, 0);
  release.set_value();
  EXPECT_TRUE(run_until(loop, [&] { return returned == kHanging; }));
  EXPECT_EQ(pool.stuck(), 0U);
  EXPECT_TRUE(pool.stop());
}

TEST(BlockingPool, JobsThatWaitForSlowOnesGetMoreThreads) {
  boost::asio::io_context loop;
  BlockingPool pool(loop);
  constexpr size_t kJobs = 20;
  size_t done = 0;
  std::set<std::thread::id> threads;
  for (size_t i = 0; i < kJobs; ++i) {
    pool.run(
        [] {
          std::this_thread::sleep_for(BlockingPool::kStuckAfter / 2);  // none of them counts as stuck
          return std::this_thread::get_id();
        },
        [&](std::thread::id id) {
          ++done;
          threads.insert(id);
        });
  }
  EXPECT_TRUE(run_until(loop, [&] { return done == kJobs; }));
  EXPECT_GT(threads.size(), 1U);
  EXPECT_TRUE(pool.stop());
}

TEST(BlockingPool, StopTellsOfAJobThatHangs) {
  boost::asio::io_context loop;
  std::promise<void> release;
  std::promise<void> begun;
  BlockingPool pool(loop);
  pool.run(
      [&] {
        begun.set_value();
        release.get_future().wait();
        return 0;
      },
      [](int) {});
  begun.get_future().wait();
  EXPECT_FALSE(pool.stop());
  release.set_value();
}

}  // namespace
}  // namespace manometer
