#include "agent/node/process_memory.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <unistd.h>

#include "agent/node/read_file.h"

namespace manometer::node {

Result<std::optional<ProcessMemory>> ProcessMemory::open(const Process& process) {
  UniqueFd fd(::openat(process.directory(), "mem", O_RDONLY | O_CLOEXEC));
  if (fd) return std::optional(ProcessMemory(std::move(fd)));
  if (is_gone(errno)) return std::optional<ProcessMemory>();
  return Error::from_errno("open its memory");
}

Result<void> ProcessMemory::read(uint64_t address, std::span<std::byte> out) const {
  while (!out.empty()) {
    if (address > static_cast<uint64_t>(std::numeric_limits<off_t>::max())) return Error("read memory: not an address");
    const ssize_t n = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(address));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::from_errno("read memory");
    if (n == 0) return Error::from_errno("read memory", ESRCH);  // its address space is gone
    out = out.subspan(static_cast<size_t>(n));
    address += static_cast<uint64_t>(n);
  }
  return {};
}

Result<std::string> ProcessMemory::read_string(uint64_t address, size_t max_bytes) const {
  // In small steps, because what follows the string may not be mapped.
  constexpr size_t kStep = 64;
  std::string text;
  while (text.size() < max_bytes) {
    const size_t to_boundary = kStep - address % kStep;
    std::string step(std::min(to_boundary, max_bytes - text.size()), '\0');
    const auto read_bytes = read(address, std::as_writable_bytes(std::span(step.data(), step.size())));
    if (!read_bytes) return read_bytes.error();
    const size_t end = step.find('\0');
    text += step.substr(0, end);
    if (end != std::string::npos) break;
    address += step.size();
  }
  return text;
}

}  // namespace manometer::node
