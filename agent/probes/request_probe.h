#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "bpf/request.h"

struct bpf_link;
struct bpf_object;
namespace boost::asio {
class io_context;
}
namespace manometer::bpf {
class RingReader;
}

namespace manometer::probes {

/// Measures the requests of watched processes (bpf/request.bpf.c).
class RequestProbe {
 public:
  struct Options {
    std::vector<uint64_t> bounds_ns;  // inclusive upper bounds of the slots, ascending; one more slot is above them
    std::vector<std::string> routes;  // prefixes of paths; their labels are these texts
    uint32_t max_series = 24;         // of the duration, for each target
    uint32_t pid_namespace = 0;       // as for ProcessProbe
    uint32_t targets = REQUEST_TARGETS;
    uint32_t connections = 4096;  // at most, where by_cookie()
  };

  /// A process whose requests are counted.
  struct Target {
    uint64_t id = 0;     // never used again
    uint32_t index = 0;  // in the programs' maps
    pid_t pid = 0;
    UniqueFd entries;  // the map with its counts
  };

  /// One series of the duration.
  struct Series {
    uint32_t method = 0;  // enum request_method
    uint32_t code = 0;    // 0: all that found no series of their own
    uint32_t route = 0;   // 1 for the first of Options::routes; 0: none
    latency_histogram histogram{};
  };

  struct Counts {
    request_target target{};
    latency_histogram stages[REQUEST_STAGES]{};
    std::vector<Series> durations;
  };

  /// What the sockets look like now.
  struct Scan {
    std::map<uint64_t, request_gauges> gauges;  // by id of the target; none: it has no connection
    std::vector<request_listener> listeners;
  };

  struct Unlink {
    void operator()(bpf_link* link) const;
  };
  /// The two programs on one cgroup, for as long as it lives.
  struct Attachment {
    std::unique_ptr<bpf_link, Unlink> out;  // goes last
    std::unique_ptr<bpf_link, Unlink> in;
  };

  static Result<std::unique_ptr<RequestProbe>> open(const Options& options);
  ~RequestProbe();
  RequestProbe(const RequestProbe&) = delete;
  RequestProbe& operator=(const RequestProbe&) = delete;

  /// Counts the requests on what this process listens on from now on. An Error: there are Options::targets already.
  Result<Target> add(pid_t pid);
  /// Forgets it and its counts.
  void remove(const Target& target);
  /// Counts those in a cgroup and all below it.
  Result<Attachment> attach(int cgroup) const;

  /// Tells on the loop that a watched process listens on something not marked yet; 0: that any of them may. Where the
  /// kernel marks such sockets itself there is nothing to tell: nullptr.
  Result<std::unique_ptr<bpf::RingReader>> tell_listeners(boost::asio::io_context& loop,
                                                          std::function<void(pid_t)> on_listen) const;

  /// The marks that sockets get; safe on any thread.
  int sockets_map() const;
  Result<Counts> read(const Target& target) const;
  Result<Scan> scan() const;

  /// True where the kernel is older than 5.11: what begins to listen later is to be marked from here.
  bool by_cookie() const { return by_cookie_; }
  /// Times that a connection was forgotten, because there are more than Options::connections, and came back.
  uint64_t lost_connections() const;
  const bpf_object* object() const;

 private:
  struct Bpf;

  RequestProbe(std::unique_ptr<Bpf> bpf, const Options& options, bool by_cookie);

  static Result<std::unique_ptr<RequestProbe>> open(const Options& options, bool by_cookie);

  std::unique_ptr<Bpf> bpf_;
  uint32_t max_series_;
  bool by_cookie_;
  uint64_t last_id_ = 0;
  std::vector<bool> used_;  // indexes
};

}  // namespace manometer::probes
