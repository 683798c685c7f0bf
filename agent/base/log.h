#pragma once
// Log levels say whose move it is: error = the user's (the agent stops or a feature is off), warn = something on the
// node is odd and the agent goes on, info = a change of state, debug = for us.

#include <string>
#include <string_view>
#include <unordered_set>

#include <spdlog/spdlog.h>

namespace manometer {

/// Sends the log to standard error in one line a message. level: trace, debug, info, warn, error or off.
void set_up_log(std::string_view level);

/// Logs each cause once, so that a broken JVM seen every second does not fill a disk.
/// It remembers at most 1,000 causes: a container that makes up new ones is cut off there.
class LogOnce {
 public:
  void warn(const std::string& cause, std::string_view message);

 private:
  std::unordered_set<std::string> seen_;
};

/// The text with everything but printable ASCII escaped: bytes from a container must not steer a terminal or forge log
/// lines.
std::string printable(std::string_view text);

}  // namespace manometer
