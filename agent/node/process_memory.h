#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/node/proc_fs.h"

namespace manometer::node {

/// The memory of one process (/proc/<pid>/mem, needs CAP_SYS_PTRACE for those of others). It stays the memory of the
/// program that ran when it was opened: after an exec or the end it reads nothing. Its reads can wait for a page that a
/// hung file system owes, so they belong on the blocking pool.
class ProcessMemory {
 public:
  /// nullopt: the process is gone.
  static Result<std::optional<ProcessMemory>> open(const Process& process);

  /// Fills out from address on. An Error if any of it is not mapped.
  Result<void> read(uint64_t address, std::span<std::byte> out) const;

  /// A value of a plain type.
  template <typename T>
  Result<T> read(uint64_t address) const {
    T value;
    const auto read_bytes = read(address, std::as_writable_bytes(std::span(&value, 1)));
    if (!read_bytes) return read_bytes.error();
    return value;
  }

  /// A string that ends with NUL; cut at max_bytes.
  Result<std::string> read_string(uint64_t address, size_t max_bytes) const;

 private:
  explicit ProcessMemory(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace manometer::node
