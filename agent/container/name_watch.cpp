#include "agent/container/name_watch.h"

#include <array>
#include <cerrno>
#include <sys/inotify.h>
#include <unistd.h>
#include <utility>

namespace manometer::container {
namespace {

/// Has changes told of from before they are looked for. Again and again: a directory may be there now, or be a new one.
/// What is not there is no error of this.
Result<void> watch_directories(int inotify, const std::string& log_root) {
  for (const char* name : {"/pods", "/containers"}) {
    const std::string path = log_root + name;
    const int watch = ::inotify_add_watch(inotify, path.c_str(), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
    if (watch < 0 && errno != ENOENT) return Error::from_errno("watch " + path);
  }
  return {};
}

}  // namespace

NameWatch::NameWatch(boost::asio::io_context& loop, BlockingPool& pool, Index& containers, LogOnce& log,
                     Options options)
    : timer_(loop), changes_(loop), pool_(pool), containers_(containers), log_(log), options_(std::move(options)) {
  const int inotify = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify >= 0) {
    changes_.assign(inotify);
    wait_for_change();
  } else {
    warn_of_delay(Error::from_errno("inotify"));
  }
  containers_.on_unnamed = [this] { look(); };
}

void NameWatch::start() {
  timer_.expires_after(options_.rescan_interval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    look();
    start();
  });
}

void NameWatch::wait_for_change() {
  changes_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
    if (error) return;
    std::array<char, 4096> ignored{};  // any size that an event fits
    while (::read(changes_.native_handle(), ignored.data(), ignored.size()) > 0) continue;
    look();
    wait_for_change();
  });
}

void NameWatch::look() {
  again_ = looking_;
  if (looking_) return;
  std::vector<Unnamed> unnamed = containers_.unnamed();
  if (unnamed.empty()) return;
  looking_ = true;
  const int inotify = changes_.is_open() ? changes_.native_handle() : -1;
  pool_.run(
      [inotify, log_root = options_.log_root, unnamed = std::move(unnamed)] {
        auto watched = inotify < 0 ? Result<void>() : watch_directories(inotify, log_root);
        return std::pair(std::move(watched), find_pod_names(log_root, unnamed));
      },
      [this](const std::pair<Result<void>, Result<std::vector<Named>>>& looked) {
        looking_ = false;
        if (!looked.first) warn_of_delay(looked.first.error());
        take(looked.second);
        if (std::exchange(again_, false)) look();
      });
}

void NameWatch::warn_of_delay(const Error& error) {
  log_.warn("inotify", "names of pods are looked for by the scan only: " + error.message());
}

void NameWatch::take(const Result<std::vector<Named>>& found) {
  if (!found) {
    log_.warn("names of pods", "names of pods are not known: " + found.error().message() +
                                   "; mount the node's /var/log and name it with --host-log");
    return;
  }
  for (const auto& [key, names] : *found) containers_.set_names(key, names);
}

}  // namespace manometer::container
