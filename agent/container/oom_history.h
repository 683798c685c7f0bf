#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "agent/container/target.h"

namespace manometer::container {

/// OOM kills of containers that are gone, by who they were: a container that starts again is another cgroup, and its
/// series go on.
class OomHistory {
 public:
  struct Kills {
    uint64_t count = 0;
    std::string path;     // of the last of them
    uint64_t number = 0;  // the higher the later
  };

  /// capacity: of targets; the one without a kill for the longest time is forgotten.
  explicit OomHistory(size_t capacity = kCapacity) : capacity_(capacity) {}

  void add(const Target& target, const std::string& path, uint64_t kills);
  const std::map<Target, Kills>& all() const { return kills_; }

  static constexpr size_t kCapacity = 1000;

 private:
  size_t capacity_;
  uint64_t last_number_ = 0;
  std::map<Target, Kills> kills_;
};

}  // namespace manometer::container
