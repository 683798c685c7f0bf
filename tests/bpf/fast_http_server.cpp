// A small, fast HTTP server: one thread, keep-alive, the same answer to every request, which must have no body. Prints
// its port, ends with its standard input, and then prints how many requests it answered.

#include <cstdint>
#include <cstdio>
#include <exception>
#include <iterator>
#include <map>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/unique_fd.h"

namespace {

using manometer::UniqueFd;

constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world\n";
constexpr std::string_view kRequestEnd = "\r\n\r\n";

struct Connection {
  UniqueFd fd;
  size_t matched = 0;  // bytes of kRequestEnd that have come
};

class Server {
 public:
  Server();
  uint16_t port() const;
  /// Serves until standard input ends; how many requests it answered.
  uint64_t run();

 private:
  void watch(int fd) const;
  void accept();
  void serve(Connection& connection);

  UniqueFd epoll_{::epoll_create1(EPOLL_CLOEXEC)};
  UniqueFd listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  std::map<int, Connection> connections_;
  uint64_t answered_ = 0;
};

Server::Server() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  constexpr int kBacklog = 4096;
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listener_.get(), kBacklog) != 0)
    throw std::runtime_error("cannot listen");
  watch(listener_.get());
  watch(STDIN_FILENO);
}

uint16_t Server::port() const {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

void Server::watch(int fd) const {
  epoll_event event{EPOLLIN, {.fd = fd}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) throw std::runtime_error("epoll_ctl");
}

uint64_t Server::run() {
  epoll_event events[256];
  while (true) {
    const int count = ::epoll_wait(epoll_.get(), events, std::size(events), -1);
    for (int i = 0; i < count; i++) {
      const int fd = events[i].data.fd;
      if (fd == STDIN_FILENO) return answered_;
      if (fd == listener_.get()) {
        accept();
      } else {
        serve(connections_.at(fd));
      }
    }
  }
}

void Server::accept() {
  const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  connections_.insert_or_assign(fd, Connection{UniqueFd(fd)});
  watch(fd);
}

/// One read, and one write for all the requests in it.
void Server::serve(Connection& connection) {
  char bytes[16384];
  const ssize_t size = ::recv(connection.fd.get(), bytes, sizeof(bytes), 0);
  std::string out;
  for (ssize_t i = 0; i < size; i++) {
    const bool next = bytes[i] == kRequestEnd[connection.matched];
    connection.matched = next ? connection.matched + 1 : static_cast<size_t>(bytes[i] == '\r');
    if (connection.matched < kRequestEnd.size()) continue;
    connection.matched = 0;
    out += kResponse;
  }
  if (size > 0 && out.empty()) return;
  // A client that does not read its answers is not one of ours: it loses its connection.
  const ssize_t sent = size > 0 ? ::send(connection.fd.get(), out.data(), out.size(), MSG_NOSIGNAL) : -1;
  if (sent != static_cast<ssize_t>(out.size())) {
    connections_.erase(connection.fd.get());
    return;
  }
  answered_ += out.size() / kResponse.size();
}

}  // namespace

int main() {
  try {
    Server server;
    std::printf("%d\n", server.port());
    std::fflush(stdout);
    std::printf("%llu\n", static_cast<unsigned long long>(server.run()));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "fast_http_server: %s\n", e.what());
    return 1;
  }
}
