#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "agent/base/unique_fd.h"

namespace manometer::test {

/// Longer than anything a test waits for on a slow machine; only a failing test waits it out.
inline constexpr std::chrono::seconds kPatience{60};

/// Calls condition until it is true; false after kPatience.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds patience = kPatience);

/// A program that a test runs, with pipes to its standard streams. It ends with the object (SIGKILL).
class Child {
 public:
  /// Throws if it cannot be started.
  explicit Child(const std::vector<std::string>& command, const std::vector<std::string>& environment = {});
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const;
  /// Closes its standard input.
  void close_stdin() { stdin_ = UniqueFd(); }
  /// Writes a line to its standard input.
  void write_line(const std::string& line) const;
  /// The next line of standard output or error; nullopt when it ends, or nothing comes within patience.
  std::optional<std::string> read_line(std::chrono::milliseconds patience = kPatience);
  std::optional<std::string> read_error_line(std::chrono::milliseconds patience = kPatience);
  /// All the rest of both, until the program closes them.
  std::string read_all();
  std::string read_all_errors();
  /// Its exit code, or 128 + the signal that ended it; nullopt if it still runs after patience.
  std::optional<int> wait(std::chrono::milliseconds patience = kPatience);

 private:
  struct Stream {
    UniqueFd fd;
    std::string buffer;
    bool fill(std::chrono::steady_clock::time_point deadline);
    std::optional<std::string> line(std::chrono::milliseconds patience);
    std::string rest();
  };

  pid_t pid_ = -1;
  UniqueFd stdin_;
  Stream stdout_;
  Stream stderr_;
  std::optional<int> status_;
};

/// What a program printed and how it ended.
struct Finished {
  int code = 0;
  std::string out;
  std::string err;
};

/// Runs a program to its end.
Finished run(const std::vector<std::string>& command, const std::vector<std::string>& environment = {});

}  // namespace manometer::test
