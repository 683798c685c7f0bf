#pragma once

#include <functional>
#include <string>
#include <sys/types.h>

namespace manometer::test {

/// A copy of this process that runs a function, hands over what it returned, and then waits. It ends with the object
/// (SIGKILL).
class Forked {
 public:
  /// Throws if the function did, or there is no process for it.
  explicit Forked(const std::function<std::string()>& set_up);
  ~Forked();
  Forked(const Forked&) = delete;
  Forked& operator=(const Forked&) = delete;

  pid_t pid() const { return pid_; }
  /// What the function returned.
  const std::string& said() const { return said_; }
  /// Ends it; until the object goes it is a zombie.
  void end() const;

 private:
  pid_t pid_;
  std::string said_;
};

}  // namespace manometer::test
