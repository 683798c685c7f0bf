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

/// Of -Xlog:gc,gc+ergo,gc+free with uptimenanos: how long each thread waited for memory each time, as ZGC says; of
/// Shenandoah from a failed allocation to what it says after the collection for it, so of programs with one thread that
/// allocates.
std::vector<double> parse_stall_seconds(std::string_view log);

}  // namespace manometer::test
