#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "agent/base/unique_fd.h"

namespace manometer::test {

/// A TCP connection that sends exactly the bytes it is told to.
class RawClient {
 public:
  /// address: "IPv4:PORT". Throws if it cannot connect.
  explicit RawClient(const std::string& address);

  /// False if the peer has closed.
  bool send(std::string_view bytes) const;
  /// What comes until the peer closes, or until `end` has come.
  std::string receive(std::string_view end = "") const;
  /// Closes with a reset instead of a farewell.
  void reset();

 private:
  UniqueFd fd_;
};

}  // namespace manometer::test
