#pragma once
// HotSpot's own log of its stops, as the other opinion on what the agent adds up from counters.

#include <string_view>
#include <vector>

namespace manometer::test {

/// One stop of all Java threads.
struct Safepoint {
  bool for_gc = false;
  double seconds = 0;  // the time to bring the threads to a stop included
  double sync_seconds = 0;
};

/// All stops in the log's order: of -Xlog:gc,safepoint (JDK 11 and newer, in both forms it has had), and of JDK 8's
/// -XX:+PrintGC -XX:+PrintGCApplicationStoppedTime.
std::vector<Safepoint> parse_safepoints(std::string_view log);

/// A thread's wait for memory. ZGC says how long it was. Shenandoah says when the collection for it ended, and
/// something else right after it has woken who waits.
struct Stall {
  double at_least_seconds = 0;
  double at_most_seconds = 0;
};

/// Of -Xlog:gc,gc+ergo,gc+free with uptimenanos; of Shenandoah those of programs with one thread that allocates.
std::vector<Stall> parse_stalls(std::string_view log);

}  // namespace manometer::test
