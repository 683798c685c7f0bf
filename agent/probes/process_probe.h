#pragma once

#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "agent/base/result.h"
#include "agent/bpf/ring_reader.h"
#include "bpf/process.h"

struct bpf_object;

namespace manometer::probes {

/// Tells of every program that starts and every process that ends on the node (bpf/process.bpf.c).
class ProcessProbe {
 public:
  using OnEvent = std::function<void(const process_event&)>;

  /// pid_namespace: inode of the namespace whose pids are wanted; 0 for the node's first.
  static Result<std::unique_ptr<ProcessProbe>> open(boost::asio::io_context& loop, uint32_t pid_namespace,
                                                    OnEvent on_event);
  ~ProcessProbe();
  ProcessProbe(const ProcessProbe&) = delete;
  ProcessProbe& operator=(const ProcessProbe&) = delete;

  /// Events that found the ring buffer full.
  uint64_t lost() const;
  const bpf_object* object() const;

 private:
  struct Bpf;

  explicit ProcessProbe(std::unique_ptr<Bpf> bpf);

  std::unique_ptr<Bpf> bpf_;
  std::unique_ptr<bpf::RingReader> reader_;
};

/// The pid namespace that a mount of /proc shows, as pid_namespace above wants it.
uint32_t pid_namespace_of(const std::string& proc_root);

}  // namespace manometer::probes
