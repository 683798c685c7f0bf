#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "agent/base/unique_fd.h"
#include "bpf/request.h"
#include "tests/bpf/totals.h"

struct bpf_program;

namespace manometer::test {

enum class Direction { kIn, kOut };

/// The agent's programs for packets, loaded but attached to nothing, and run by BPF_PROG_TEST_RUN. Each packet comes as
/// one of a watched connection.
class ProgramRuns {
 public:
  /// Before 6.18 a test run shows a cgroup's program an empty packet. The same code as a classifier sees all of it.
  enum class As { kCgroupProgram, kClassifier };

  /// by_cookie: as on kernels before 5.11; only so can state() be told. Throws if the kernel refuses them.
  ProgramRuns(As as, bool by_cookie);
  ~ProgramRuns();
  ProgramRuns(const ProgramRuns&) = delete;
  ProgramRuns& operator=(const ProgramRuns&) = delete;

  /// The state of a connection whose first bytes in either direction have these sequence numbers.
  static request_socket new_connection(uint32_t in_seq, uint32_t out_seq);
  void set_state(const request_socket& state);
  /// After the last run; with by_cookie.
  request_socket state() const;

  /// packet: an IP packet (packet.h). What the program returned; nullopt: the kernel does not take such a packet.
  std::optional<uint32_t> run(Direction direction, const std::string& packet);
  /// The same for a socket that nobody watches.
  std::optional<uint32_t> run_unmarked(Direction direction, const std::string& packet);
  Totals totals() const;
  /// What another target's entries hold, all in one number: it has to stay 0.
  uint64_t sum_of_neighbour() const;

 private:
  struct Bpf;

  std::optional<uint32_t> run_program(const bpf_program* program, const std::string& packet) const;

  As as_;
  std::unique_ptr<Bpf> bpf_;
  UniqueFd entries_;
  UniqueFd neighbour_;
};

}  // namespace manometer::test
