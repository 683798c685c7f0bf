#pragma once

#include <chrono>
#include <string_view>

#include "agent/base/result.h"

namespace manometer::jvm {

/// A component is 0 up to low, 1 from high on, and on a line between.
struct Knees {
  double low = 0;
  double high = 1;

  bool operator==(const Knees&) const = default;
};

/// Shares of real time, or of CPU time. Ordinary loads were measured to stop up to 0.09 of the time, and G1 itself aims
/// at 0.08 (its GCTimeRatio is 12); allocation storms took 0.65 to 0.88 of the time with G1, Parallel and Serial, and
/// 0.72 to 0.86 of the CPU with these and ZGC.
inline constexpr Knees kGcKnees{0.10, 0.40};
/// Threads that wait for memory, on average, and the share of time in collections that come because there is none. No
/// healthy heap has any of it; ZGC in an allocation storm has 1.
inline constexpr Knees kStallKnees{0.01, 0.10};
/// Share of what can be alive. Ordinary loads were measured at 0.38 at most, a leak at 0.59, 0.82 and its end, each two
/// seconds after the other.
inline constexpr Knees kLiveKnees{0.60, 0.90};
// The next three are not measured yet: they are where to start from.
/// Share of time in which a task waits for memory. A few percent come of reading files again that were dropped.
inline constexpr Knees kPsiKnees{0.05, 0.30};
/// Share of the limit that the kernel cannot take back.
inline constexpr Knees kOomKnees{0.85, 0.98};
/// What the JVM may grow to, by the limit. At 1 it fits and nothing is left.
inline constexpr Knees kOvercommitKnees{1.0, 1.25};

/// What the leak window is divided into; of each only the lowest live set counts, because G1 collects its old
/// generation in steps.
inline constexpr int kLeakParts = 6;

struct PressureOptions {
  std::chrono::milliseconds window{std::chrono::minutes(1)};
  std::chrono::milliseconds leak_window{std::chrono::minutes(10)};
  Knees gc = kGcKnees;
  Knees stall = kStallKnees;
  Knees live = kLiveKnees;
  Knees psi = kPsiKnees;
  Knees oom = kOomKnees;
  Knees overcommit = kOvercommitKnees;
};

/// text: "gc:0.1:0.4", the name of a field of options and both knees. An Error says what it should be.
Result<void> set_knees(PressureOptions& options, std::string_view text);

/// options with windows that are long enough for samples taken so often.
PressureOptions with_room_for(PressureOptions options, std::chrono::milliseconds sample_interval);

}  // namespace manometer::jvm
