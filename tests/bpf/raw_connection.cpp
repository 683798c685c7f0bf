#include "tests/bpf/raw_connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>

#include "tests/bpf/clock.h"
#include "tests/bpf/socket_address.h"
#include "tests/support/child.h"

namespace manometer::test {
namespace {

[[noreturn]] void fail(const char* what, int error = errno) {
  throw std::system_error(error, std::generic_category(), what);
}

void wait_readable(int fd) {
  pollfd ready{fd, POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())) <= 0)
    fail("receive", ETIMEDOUT);
}

}  // namespace

RawConnection::RawConnection(uint16_t port, const std::string& host, int receive_buffer) {
  const SocketAddress address(host, port);
  fd_ = UniqueFd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (receive_buffer > 0) ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  if (::connect(fd_.get(), address.get(), address.size()) != 0) fail("connect");
}

SendTimes RawConnection::send(std::string_view bytes) const {
  SendTimes out;
  out.before_ns = now_ns();
  const ssize_t size = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  out.after_ns = now_ns();
  if (size < 0) fail("send");
  if (static_cast<size_t>(size) < bytes.size()) fail("send all at once", EMSGSIZE);
  return out;
}

Received RawConnection::receive(size_t count) const {
  Received out;
  std::array<char, 1 << 16> bytes;
  while (out.bytes.size() < count) {
    wait_readable(fd_.get());
    const ssize_t size = ::recv(fd_.get(), bytes.data(), std::min(bytes.size(), count - out.bytes.size()), 0);
    const uint64_t now = now_ns();
    if (size < 0) fail("receive");
    if (size == 0) break;
    if (out.bytes.empty()) out.first_ns = now;
    out.last_ns = now;
    out.bytes.append(bytes.data(), static_cast<size_t>(size));
  }
  return out;
}

uint32_t RawConnection::segments_received() const {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) fail("TCP_INFO");
  return info.tcpi_data_segs_in;
}

uint16_t RawConnection::local_port() const {
  return SocketAddress::port_of(fd_.get());
}

void RawConnection::shutdown() const {
  if (::shutdown(fd_.get(), SHUT_WR) != 0) fail("shutdown");
}

void RawConnection::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close();
}

}  // namespace manometer::test
