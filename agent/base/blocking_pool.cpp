#include "agent/base/blocking_pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <spdlog/spdlog.h>

namespace manometer {
namespace {

constexpr std::chrono::milliseconds kPollInterval{1};

std::chrono::steady_clock::rep now() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

}  // namespace

thread_local BlockingPool::Worker* BlockingPool::current_worker = nullptr;

bool BlockingPool::Worker::is_stuck() const {
  const auto since = busy_since.load();
  return since != 0 && now() - since > std::chrono::steady_clock::duration(kStuckAfter).count();
}

BlockingPool::Busy::Busy(std::atomic<uint64_t>& taken) {
  current_worker->busy_since = now();
  ++taken;
}
BlockingPool::Busy::~Busy() {
  current_worker->busy_since = 0;
}

BlockingPool::BlockingPool(boost::asio::io_context& loop, size_t max_threads)
    : loop_(loop), max_threads_(max_threads), keep_running_(jobs_.get_executor()), timer_(loop) {
  add_worker();
}

BlockingPool::~BlockingPool() {
  jobs_.stop();
  for (const auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

void BlockingPool::add_worker() {
  auto worker = std::make_unique<Worker>();
  try {
    worker->thread = std::thread([this, &worker = *worker] {
      current_worker = &worker;
      jobs_.run();
      worker.ended = true;
    });
    workers_.push_back(std::move(worker));
  } catch (const std::system_error& error) {
    // Tried again as long as jobs wait.
    if (!std::exchange(refused_, true)) spdlog::warn("no thread for reads that may hang: {} (said once)", error.what());
  }
}

size_t BlockingPool::stuck() const {
  return static_cast<size_t>(std::ranges::count_if(workers_, [](const auto& worker) { return worker->is_stuck(); }));
}

void BlockingPool::watch() {
  if (watching_) return;
  watching_ = true;
  timer_.expires_after(kStuckAfter / 2);
  timer_.async_wait([this](const boost::system::error_code& error) {
    watching_ = false;
    if (error) return;
    for (; forgotten_ < taken_; ++forgotten_) waiting_since_.pop_front();
    const bool one_waits =
        !waiting_since_.empty() && std::chrono::steady_clock::now() - waiting_since_.front() > kStuckAfter;
    // Doubling, because one file system often hangs for many.
    size_t missing = one_waits ? std::clamp(workers_.size(), size_t{1}, waiting_since_.size()) : 0;
    for (; missing > 0 && workers_.size() < max_threads_; --missing) add_worker();
    if (outstanding_ > 0) watch();
  });
}

bool BlockingPool::stop() {
  timer_.cancel();
  jobs_.stop();
  const auto deadline = std::chrono::steady_clock::now() + kStuckAfter;
  while (!std::ranges::all_of(workers_, [](const auto& worker) { return worker->ended.load(); })) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPollInterval);
  }
  for (const auto& worker : workers_) worker->thread.join();
  return true;
}

}  // namespace manometer
