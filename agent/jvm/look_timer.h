#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/base/types.h"

namespace manometer::jvm {

/// When to look again at what has just started: often at first and ever more rarely. Lives on the loop.
class LookTimer {
 public:
  /// look: looks at all that is due, and schedules the rest anew.
  LookTimer(boost::asio::io_context& loop, std::function<void()> look) : timer_(loop), look_(std::move(look)) {}

  /// The next time to look at what started then, scheduled; nullopt after some seconds, when it has had its time.
  std::optional<TimePoint> again(TimePoint started);
  /// Looks at that time, or before.
  void schedule(TimePoint due);

 private:
  boost::asio::steady_timer timer_;
  std::function<void()> look_;
  TimePoint next_ = TimePoint::max();
};

}  // namespace manometer::jvm
