#include "agent/jvm/look_timer.h"

#include <algorithm>

namespace manometer::jvm {
namespace {

// A JVM maps libjvm some milliseconds after its exec, or minutes later if a launcher does other things first.
constexpr std::chrono::milliseconds kFirst{20};
constexpr int kFraction = 5;  // of the time since it started
constexpr std::chrono::seconds kFor{10};

}  // namespace

std::optional<TimePoint> LookTimer::again(TimePoint started) {
  const TimePoint now = std::chrono::steady_clock::now();
  const TimePoint::duration age = now - started;
  if (age > kFor) return std::nullopt;
  const TimePoint due = now + std::max<TimePoint::duration>(kFirst, age / kFraction);
  schedule(due);
  return due;
}

void LookTimer::schedule(TimePoint due) {
  if (due >= next_) return;
  next_ = due;
  timer_.expires_at(due);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    next_ = TimePoint::max();
    look_();
  });
}

}  // namespace manometer::jvm
