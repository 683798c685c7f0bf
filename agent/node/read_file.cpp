#include "agent/node/read_file.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "agent/base/unique_fd.h"

namespace manometer::node {

bool is_gone(int number) {
  // A dying process answers ESRCH on reads, a removed cgroup ENODEV.
  return number == ENOENT || number == ESRCH || number == ENODEV || number == ENOTDIR;
}

Result<std::optional<std::string>> read_file_at(int directory, const std::string& path, size_t max_bytes) {
  const UniqueFd fd(::openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) {
    if (is_gone(errno)) return std::optional<std::string>();
    return Error::from_errno("open " + path);
  }
  std::string text;
  constexpr size_t kChunk = 16384;
  for (size_t used = 0;;) {
    text.resize(used + kChunk);
    const ssize_t n = ::read(fd.get(), text.data() + used, kChunk);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (is_gone(errno)) return std::optional<std::string>();
      return Error::from_errno("read " + path);
    }
    used += static_cast<size_t>(n);
    if (n == 0) {
      text.resize(used);
      return std::optional<std::string>(std::move(text));
    }
    if (used > max_bytes) return Error("read " + path + ": larger than " + std::to_string(max_bytes) + " bytes");
  }
}

Result<std::optional<std::string>> read_file(const std::string& path) {
  return read_file_at(AT_FDCWD, path);
}

}  // namespace manometer::node
