#include "tests/support/file_watch.h"

#include <cerrno>
#include <sys/inotify.h>
#include <system_error>
#include <unistd.h>

namespace manometer::test {

FileWatch::FileWatch(const std::filesystem::path& file) : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (!inotify_ || ::inotify_add_watch(inotify_.get(), file.c_str(), IN_OPEN | IN_ACCESS) < 0)
    throw std::system_error(errno, std::generic_category(), "watch " + file.string());
}

bool FileWatch::was_touched() {
  alignas(inotify_event) char events[4096];
  bool touched = false;
  while (::read(inotify_.get(), events, sizeof(events)) > 0) touched = true;
  return touched;
}

}  // namespace manometer::test
