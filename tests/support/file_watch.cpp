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

size_t FileWatch::touches() {
  alignas(inotify_event) char events[4096];
  size_t count = 0;
  for (ssize_t n = 0; (n = ::read(inotify_.get(), events, sizeof(events))) > 0;)
    count += static_cast<size_t>(n) / sizeof(inotify_event);  // those of a file carry no name
  return count;
}

}  // namespace manometer::test
