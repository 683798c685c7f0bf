#pragma once

#include <cstddef>
#include <filesystem>

#include "agent/base/unique_fd.h"

namespace manometer::test {

/// Tells whether anybody opened or read a file, however short. An O_PATH descriptor, which only names it, does not
/// count.
class FileWatch {
 public:
  explicit FileWatch(const std::filesystem::path& file);

  /// True if the file was opened or read since the last call.
  bool was_touched() { return touches() > 0; }
  /// How often, about.
  size_t touches();

 private:
  UniqueFd inotify_;
};

}  // namespace manometer::test
