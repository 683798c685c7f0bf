#include "agent/node/process_sockets.h"

#include <algorithm>
#include <array>
#include <dirent.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unordered_set>
#include <vector>

#include "agent/base/text.h"
#include "agent/node/read_file.h"

namespace manometer::node {
namespace {

template <typename T>
bool get_option(int fd, int level, int name, T& value) {
  socklen_t length = sizeof(value);  // an older kernel fills less of it
  return ::getsockopt(fd, level, name, &value, &length) == 0;
}

bool is_tcp(int fd) {
  int domain = 0;
  int protocol = 0;
  return get_option(fd, SOL_SOCKET, SO_DOMAIN, domain) && (domain == AF_INET || domain == AF_INET6) &&
         get_option(fd, SOL_SOCKET, SO_PROTOCOL, protocol) && protocol == IPPROTO_TCP;
}

std::optional<uint16_t> local_port(int fd) {
  sockaddr_in6 address{};
  socklen_t length = sizeof(address);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return std::nullopt;
  return ntohs(address.sin6_port);  // where IPv4 has it too
}

/// nullopt: not a TCP socket.
std::optional<ServerSocket> describe(int fd, uint64_t inode) {
  int is_listener = 0;
  tcp_info info{};
  if (!is_tcp(fd) || !get_option(fd, SOL_SOCKET, SO_ACCEPTCONN, is_listener) ||
      !get_option(fd, IPPROTO_TCP, TCP_INFO, info))
    return std::nullopt;
  const auto port = local_port(fd);
  if (!port) return std::nullopt;
  return ServerSocket{fd,
                      inode,
                      is_listener != 0,
                      *port,
                      info.tcpi_state,
                      std::chrono::milliseconds(info.tcpi_last_data_sent),
                      std::chrono::milliseconds(info.tcpi_last_data_recv),
                      info.tcpi_bytes_received,
                      info.tcpi_bytes_acked};
}

/// "socket:[4711]"; nullopt: another file.
std::optional<uint64_t> parse_socket_link(std::string_view link) {
  constexpr std::string_view kPrefix = "socket:[";
  uint64_t inode = 0;
  if (!link.starts_with(kPrefix) || !link.ends_with(']')) return std::nullopt;
  link.remove_prefix(kPrefix.size());
  link.remove_suffix(1);
  return parse_number(link, inode) ? std::optional(inode) : std::nullopt;
}

/// The descriptors of one process.
class Descriptors {
 public:
  /// nullopt: the process is gone.
  static Result<std::optional<Descriptors>> open(const Process& process);

  Result<std::vector<int>> list(size_t max) const;
  /// nullopt: no socket, or no longer there.
  Result<std::optional<uint64_t>> socket_inode(int number) const;
  /// The socket with this inode. nullopt: no longer there.
  Result<std::optional<UniqueFd>> duplicate(int number, uint64_t inode) const;

 private:
  Descriptors(UniqueFd pidfd, UniqueFd directory) : pidfd_(std::move(pidfd)), directory_(std::move(directory)) {}

  UniqueFd pidfd_;
  UniqueFd directory_;
};

bool is_alive(const Process& process) {
  const auto stat = process.stat();
  return !stat || (*stat && !(*stat)->is_dead());
}

/// True if the pidfd is the process's in the very /proc it was found in: that may be another pid namespace's than ours.
Result<bool> is_of(const UniqueFd& pidfd, const Process& process) {
  const auto info = read_file_at(process.directory(), "../self/fdinfo/" + std::to_string(pidfd.get()));
  if (!info) return info.error();
  return *info && (*info)->find("\nPid:\t" + std::to_string(process.pid()) + "\n") != std::string::npos;
}

Result<std::optional<Descriptors>> Descriptors::open(const Process& process) {
  // glibc 2.36 has both calls in a header that C++ cannot use.
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid(), 0)));
  if (!pidfd && errno != ESRCH) return Error::from_errno("pidfd_open");
  const auto same = pidfd ? is_of(pidfd, process) : false;
  if (!same) return same.error();
  // If it lives after pidfd_open, no other process can have had its pid meanwhile.
  if (!is_alive(process)) return std::optional<Descriptors>();
  if (!*same) return Error("its pid is not one of the agent's own pid namespace");
  UniqueFd directory(::openat(process.directory(), "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return Error::from_errno("open fd");
  return std::optional(Descriptors(std::move(pidfd), std::move(directory)));
}

Result<std::vector<int>> Descriptors::list(size_t max) const {
  // A descriptor of its own: fdopendir takes it over.
  const int own = ::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0);
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(own < 0 ? nullptr : ::fdopendir(own), ::closedir);
  if (!dir) return Error::from_errno("list fd");
  std::vector<int> numbers;
  while (const dirent* entry =
             numbers.size() < max ? ::readdir(dir.get()) : nullptr) {  // NOLINT(concurrency-mt-unsafe)
    int number = 0;
    if (parse_number(std::string_view(entry->d_name), number)) numbers.push_back(number);
  }
  return numbers;
}

Result<std::optional<uint64_t>> Descriptors::socket_inode(int number) const {
  std::array<char, 64> link{};  // enough for a socket's; another file's may be cut
  const ssize_t n = ::readlinkat(directory_.get(), std::to_string(number).c_str(), link.data(), link.size());
  if (n >= 0) return parse_socket_link({link.data(), static_cast<size_t>(n)});
  if (is_gone(errno)) return std::optional<uint64_t>();
  return Error::from_errno("read fd/" + std::to_string(number));
}

Result<std::optional<UniqueFd>> Descriptors::duplicate(int number, uint64_t inode) const {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd_.get(), number, 0)));
  if (!fd && (errno == EBADF || errno == ESRCH)) return std::optional<UniqueFd>();
  if (!fd) return Error::from_errno("pidfd_getfd");
  // The number may have got another file since its link was read.
  struct stat status {};
  const bool same = ::fstat(fd.get(), &status) == 0 && S_ISSOCK(status.st_mode) && status.st_ino == inode;
  return same ? std::optional(std::move(fd)) : std::nullopt;
}

/// One visit to the server sockets of a process.
class Visitor {
 public:
  Visitor(const Descriptors& descriptors, const std::function<void(const ServerSocket&)>& visit)
      : descriptors_(descriptors), visit_(visit) {}

  Result<SocketCounts> run(size_t max_descriptors);

 private:
  Result<void> look_at(int number);

  /// A connection that came before any listener of its port.
  struct Early {
    int number;
    uint16_t port;
  };

  const Descriptors& descriptors_;
  const std::function<void(const ServerSocket&)>& visit_;
  std::unordered_set<uint64_t> visited_;  // a socket may have several descriptors
  std::unordered_set<uint16_t> ports_;
  std::vector<Early> early_;
  SocketCounts counts_;
};

Result<SocketCounts> Visitor::run(size_t max_descriptors) {
  const auto numbers = descriptors_.list(max_descriptors + 1);
  if (!numbers) return numbers.error();
  counts_.descriptors = std::min(numbers->size(), max_descriptors);
  counts_.all = numbers->size() <= max_descriptors;
  for (size_t i = 0; i < counts_.descriptors; ++i) {
    const auto looked = look_at((*numbers)[i]);
    if (!looked) return looked.error();
  }
  for (const Early& early : std::exchange(early_, {})) {
    if (!ports_.contains(early.port)) continue;
    const auto looked = look_at(early.number);
    if (!looked) return looked.error();
  }
  return counts_;
}

Result<void> Visitor::look_at(int number) {
  const auto inode = descriptors_.socket_inode(number);
  if (!inode) return inode.error();
  if (!*inode || visited_.contains(**inode)) return {};
  const auto duplicate = descriptors_.duplicate(number, **inode);
  if (!duplicate) return duplicate.error();
  const auto socket = *duplicate ? describe((*duplicate)->get(), **inode) : std::nullopt;
  if (!socket) return {};
  if (socket->is_listener) ports_.insert(socket->port);
  if (!ports_.contains(socket->port)) {
    early_.push_back({number, socket->port});
    return {};
  }
  visited_.insert(**inode);
  ++(socket->is_listener ? counts_.listeners : counts_.connections);
  visit_(*socket);
  return {};
}

Result<std::optional<SocketCounts>> visit_open(const Process& process, size_t max_descriptors,
                                               const std::function<void(const ServerSocket&)>& visit) {
  const auto descriptors = Descriptors::open(process);
  if (!descriptors) return descriptors.error();
  if (!*descriptors) return std::optional<SocketCounts>();
  const auto counts = Visitor(**descriptors, visit).run(max_descriptors);
  if (!counts) return counts.error();
  return std::optional(*counts);
}

}  // namespace

Result<std::optional<SocketCounts>> visit_server_sockets(const Process& process,
                                                         const std::function<void(const ServerSocket&)>& visit,
                                                         size_t max_descriptors) {
  auto counts = visit_open(process, max_descriptors, visit);
  if (counts) return counts;
  // The kernel denies access to a process that ends, too.
  if (!is_alive(process)) return std::optional<SocketCounts>();
  return std::move(counts).error().with_context("sockets of process " + std::to_string(process.pid()));
}

}  // namespace manometer::node
