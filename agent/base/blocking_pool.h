#pragma once
// Reads that can hang (a file system below a container's root that stopped answering) run on threads of their own. One
// is enough until jobs have to wait for it; then others join it, and the loop never waits.

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/base/types.h"

namespace manometer {

class BlockingPool {
 public:
  /// A job that runs this long counts as stuck, and one that waits this long gets another thread; a local read takes
  /// microseconds.
  static constexpr std::chrono::milliseconds kStuckAfter{200};
  /// Threads at most: one for each JVM of a full node, should the file system of all of them hang.
  static constexpr size_t kMaxThreads = 256;

  /// loop must outlive the pool and is the only thread that calls it.
  explicit BlockingPool(boost::asio::io_context& loop, size_t max_threads = kMaxThreads);
  /// Waits for the running jobs: call stop() first where one may be stuck.
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  /// Runs work() on a thread that may hang, then done(its result) on the loop. Both may be move-only.
  template <typename Work, typename Done>
  void run(Work work, Done done) {
    ++outstanding_;
    waiting_since_.push_back(std::chrono::steady_clock::now());
    boost::asio::post(jobs_, [this, work = std::move(work), done = std::move(done)]() mutable {
      const Busy busy(taken_);
      boost::asio::post(loop_, [this, result = work(), done = std::move(done)]() mutable {
        --outstanding_;
        done(std::move(result));
      });
    });
    watch();
  }

  /// Jobs that hang now.
  size_t stuck() const;

  /// Drops the jobs not yet started and ends the threads that are not stuck. False: one is stuck, and the pool must not
  /// be destroyed: end the process instead.
  bool stop();

 private:
  struct Worker {
    std::thread thread;
    std::atomic<std::chrono::steady_clock::rep> busy_since{0};  // 0: idle
    std::atomic<bool> ended{false};
    bool is_stuck() const;
  };

  /// Marks the worker that runs the job, for as long as it runs.
  struct Busy {
    explicit Busy(std::atomic<uint64_t>& taken);
    ~Busy();
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;
  };

  void add_worker();
  void watch();

  static thread_local Worker* current_worker;

  boost::asio::io_context& loop_;
  size_t max_threads_;
  boost::asio::io_context jobs_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_running_;
  boost::asio::steady_timer timer_;
  std::vector<std::unique_ptr<Worker>> workers_;
  size_t outstanding_ = 0;
  std::deque<TimePoint> waiting_since_;  // of the jobs that were queued, without the first `forgotten_`
  uint64_t forgotten_ = 0;
  std::atomic<uint64_t> taken_{0};  // jobs that no longer wait
  bool refused_ = false;            // the kernel gave us no thread
  bool watching_ = false;
};

}  // namespace manometer
