#pragma once

#include <chrono>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/base/blocking_pool.h"
#include "agent/base/log.h"
#include "agent/container/index.h"
#include "agent/container/pod_names.h"

namespace manometer::container {

/// Gives the containers of an index the names that Kubernetes has for them: at once if they are known, else as soon as
/// the kubelet writes them down, at the latest at the next rescan. Lives on the loop.
class NameWatch {
 public:
  struct Options {
    std::string log_root = "/var/log";
    std::chrono::milliseconds rescan_interval{10000};
  };

  /// All of them must outlive it.
  NameWatch(boost::asio::io_context& loop, BlockingPool& pool, Index& containers, LogOnce& log, Options options);

  /// Starts the rescans.
  void start();

  /// True while names are looked for.
  bool looking() const { return looking_; }

 private:
  void look();
  void warn_of_delay(const Error& error);
  void take(const Result<std::vector<Named>>& found);
  void wait_for_change();

  boost::asio::steady_timer timer_;
  boost::asio::posix::stream_descriptor changes_;  // inotify's; closed if there is none to be had
  BlockingPool& pool_;
  Index& containers_;
  LogOnce& log_;
  Options options_;
  bool looking_ = false;  // one look at a time
  bool again_ = false;    // something came up since it began
};

}  // namespace manometer::container
