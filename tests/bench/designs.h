#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <sys/types.h>

#include "agent/probes/request_probe.h"
#include "tests/bench/servers.h"

namespace manometer::bench {

/// A way of measuring requests, attached for as long as it lives.
struct Attached {
  virtual ~Attached() = default;
  /// Requests that it has measured so far; nullopt: it measures none, and is not meant to.
  virtual std::optional<uint64_t> observed() const { return std::nullopt; }
  /// Its programs; nullptr: none.
  virtual const bpf_object* object() const { return nullptr; }
};

/// The agent's programs as the agent attaches them: loaded, linked to the server's cgroup, and its sockets marked,
/// those of connections that are there already too.
std::unique_ptr<Attached> attach_request_probe(const Server& server, const ServerCgroup& cgroup);

/// The same at the root of the cgroup2 tree, watching a process that serves nothing: what all others pay.
std::unique_ptr<Attached> attach_to_root();

/// tests/bench/syscalls.bpf.c.
std::unique_ptr<Attached> attach_syscalls(const Server& server);

/// Programs that do nothing where those of the agent are (tests/bench/empty.bpf.c): what the kernel takes for running
/// any.
std::unique_ptr<Attached> attach_empty(const ServerCgroup& cgroup);
std::unique_ptr<Attached> attach_empty_to_root();

/// What the agent gives its programs unless told otherwise.
probes::RequestProbe::Options probe_options();

}  // namespace manometer::bench
