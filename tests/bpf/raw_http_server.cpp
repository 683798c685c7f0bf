// A server that does to its sockets what it is told on standard input, one command a line, and ends with it. It knows
// no HTTP. Answers each with "ok VALUE PORT T0 T1 T2 T3", or "error ERRNO": CLOCK_MONOTONIC before the first and after
// it, before the last and after it, of the system calls that moved bytes. A connection or listener is named by its
// descriptor.
//
//   listen v4|v6|dual BACKLOG      on any port of loopback (dual: of all addresses); VALUE is the listener
//   accept LISTENER                VALUE is the connection
//   await CONNECTION N             until so many bytes wait unread
//   read CONNECTION N              VALUE is how many came; fewer if the client has no more to say
//   read_until CONNECTION N        until N times an empty line has come
//   peek CONNECTION N              looks at bytes without taking them
//   recv CONNECTION N              one recv(), which itself waits for something to come; VALUE is what it gave
//   write CONNECTION HEX...        one send() for each segment
//   fill CONNECTION N              so many bytes 'x'
//   sendfile CONNECTION PATH N
//   uring                          whether there is io_uring here
//   uring_read CONNECTION N        one read by io_uring of what has come; VALUE is what it gave
//   uring_recv CONNECTION N        one that is waiting when it comes
//   uring_write CONNECTION HEX...
//   shutdown CONNECTION            no more from us
//   close CONNECTION               or listener
//   reset CONNECTION               an RST instead of a FIN

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <netinet/tcp.h>
#include <poll.h>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "agent/base/unique_fd.h"
#include "tests/bpf/clock.h"
#include "tests/bpf/raw_uring.h"
#include "tests/bpf/socket_address.h"

namespace {

using manometer::UniqueFd;
using manometer::test::now_ns;
using manometer::test::SocketAddress;

constexpr size_t kChunk = 1 << 16;

/// What a command did, and when.
struct Outcome {
  int64_t value = 0;  // below 0: an errno
  int port = 0;
  std::vector<uint64_t> times;  // two for each system call that moved bytes

  /// Makes a system call between two looks at the clock.
  int64_t timed(const std::function<int64_t()>& call) {
    const uint64_t before = now_ns();
    const int64_t result = call();
    const int error = errno;
    const uint64_t after = now_ns();
    times.insert(times.end(), {before, after});
    return result < 0 ? -error : result;
  }
};

Outcome failed() {
  return {-errno, 0, {}};
}

// What has come must be there before the clock is looked at: else the wait for it would be in the time of the call.
void wait_readable(int fd) {
  pollfd ready{fd, POLLIN, 0};
  ::ppoll(&ready, 1, nullptr, nullptr);  // which every architecture has as a system call
}

Outcome listen(const std::string& family, int backlog) {
  const SocketAddress address(family == "v4" ? "127.0.0.1" : family == "v6" ? "::1" : "::", 0);
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return failed();
  const int v6_only = family == "v6" ? 1 : 0;
  if (address.family() == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
  if (::bind(fd.get(), address.get(), address.size()) != 0 || ::listen(fd.get(), backlog) != 0) return failed();
  const int port = SocketAddress::port_of(fd.get());
  return {fd.release(), port, {}};
}

Outcome accept(int listener) {
  Outcome out;
  wait_readable(listener);
  out.value = out.timed([&] { return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC); });
  const int on = 1;
  if (out.value >= 0) ::setsockopt(static_cast<int>(out.value), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return out;
}

Outcome await(int fd, int64_t count) {
  int unread = 0;
  do {
    wait_readable(fd);
    if (::ioctl(fd, FIONREAD, &unread) != 0) return failed();
  } while (unread < count);
  return {unread, 0, {}};
}

Outcome read(int fd, int64_t count, int flags) {
  Outcome out;
  std::vector<char> bytes(static_cast<size_t>(std::min<int64_t>(count, kChunk)));
  while (out.value < count) {
    wait_readable(fd);
    const auto most = std::min(bytes.size(), static_cast<size_t>(count - out.value));
    const int64_t size = out.timed([&] { return ::recv(fd, bytes.data(), most, flags); });
    if (size < 0) return {size, 0, {}};
    if (size == 0) break;
    out.value += size;
    if ((flags & MSG_PEEK) != 0) break;
  }
  return out;
}

Outcome read_until(int fd, int64_t requests) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  Outcome out;
  std::string all;
  std::vector<char> bytes(kChunk);
  for (size_t at = 0; requests > 0;) {
    if (const size_t end = all.find(kEnd, at); end != std::string::npos) {
      at = end + kEnd.size();
      requests--;
      continue;
    }
    wait_readable(fd);
    const int64_t size = out.timed([&] { return ::recv(fd, bytes.data(), bytes.size(), 0); });
    if (size < 0) return {size, 0, {}};
    if (size == 0) break;
    all.append(bytes.data(), static_cast<size_t>(size));
  }
  out.value = static_cast<int64_t>(all.size());
  return out;
}

/// Repeats send, which takes what is left and tells how much of it went.
Outcome send_all(Outcome out, size_t count, const std::function<int64_t(size_t done)>& send) {
  for (size_t done = 0; done < count;) {
    const int64_t size = out.timed([&] { return send(done); });
    if (size <= 0) return {size < 0 ? size : -EPIPE, 0, {}};
    done += static_cast<size_t>(size);
    out.value += size;
  }
  return out;
}

Outcome write(int fd, const std::vector<std::string>& segments) {
  Outcome out;
  for (const std::string& segment : segments) {
    out = send_all(std::move(out), segment.size(),
                   [&](size_t done) { return ::send(fd, segment.data() + done, segment.size() - done, MSG_NOSIGNAL); });
    if (out.value < 0) break;
  }
  return out;
}

Outcome fill(int fd, size_t count) {
  const std::string bytes(1 << 20, 'x');
  return send_all({}, count, [&](size_t done) {
    return ::send(fd, bytes.data(), std::min(bytes.size(), count - done), MSG_NOSIGNAL);
  });
}

Outcome send_file(int fd, const std::string& path, size_t count) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return failed();
  return send_all({}, count, [&](size_t done) { return ::sendfile(fd, file.get(), nullptr, count - done); });
}

Outcome recv_once(int fd, size_t count) {
  Outcome out;
  std::vector<char> bytes(count);
  out.value = out.timed([&] { return ::recv(fd, bytes.data(), bytes.size(), 0); });
  return out;
}

Outcome uring_recv_once(int fd, size_t count) {
  Outcome out;
  std::vector<char> bytes(count);
  out.value = out.timed([&] { return manometer::test::uring_recv(fd, bytes.data(), bytes.size()); });
  return out;
}

Outcome uring_read(int fd, size_t count) {
  wait_readable(fd);
  return uring_recv_once(fd, count);
}

Outcome uring_write(int fd, const std::vector<std::string>& segments) {
  Outcome out;
  for (const std::string& segment : segments) {
    out = send_all(std::move(out), segment.size(), [&](size_t done) {
      return manometer::test::uring_send(fd, segment.data() + done, segment.size() - done);
    });
    if (out.value < 0) break;
  }
  return out;
}

Outcome done(int result) {
  return result == 0 ? Outcome{} : failed();
}

Outcome reset(int fd) {
  const linger now{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  return done(::close(fd));
}

std::vector<std::string> from_hex(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (size_t i = 2; i < words.size(); i++) {
    std::string& bytes = out.emplace_back();
    for (size_t at = 0; at + 1 < words[i].size(); at += 2) {
      unsigned char byte = 0;
      std::from_chars(words[i].data() + at, words[i].data() + at + 2, byte, 16);
      bytes += static_cast<char>(byte);
    }
  }
  return out;
}

Outcome execute(const std::vector<std::string>& words) {
  const std::string& command = words.at(0);
  const auto number = [&](size_t index) { return std::stoll(words.at(index)); };
  if (command == "listen") return listen(words.at(1), static_cast<int>(number(2)));
  if (command == "uring") return done(manometer::test::uring_try());
  const auto fd = static_cast<int>(number(1));
  if (command == "accept") return accept(fd);
  if (command == "await") return await(fd, number(2));
  if (command == "read") return read(fd, number(2), 0);
  if (command == "read_until") return read_until(fd, number(2));
  if (command == "peek") return read(fd, number(2), MSG_PEEK);
  if (command == "write") return write(fd, from_hex(words));
  if (command == "fill") return fill(fd, static_cast<size_t>(number(2)));
  if (command == "sendfile") return send_file(fd, words.at(2), static_cast<size_t>(number(3)));
  if (command == "recv") return recv_once(fd, static_cast<size_t>(number(2)));
  if (command == "uring_read") return uring_read(fd, static_cast<size_t>(number(2)));
  if (command == "uring_recv") return uring_recv_once(fd, static_cast<size_t>(number(2)));
  if (command == "uring_write") return uring_write(fd, from_hex(words));
  if (command == "shutdown") return done(::shutdown(fd, SHUT_WR));
  if (command == "close") return done(::close(fd));
  if (command == "reset") return reset(fd);
  return {-ENOSYS, 0, {}};
}

void print(const Outcome& out) {
  if (out.value < 0) {
    std::cout << "error " << -out.value << std::endl;
    return;
  }
  std::vector<uint64_t> times = out.times;
  if (times.empty()) times.assign(2, 0);
  std::cout << "ok " << out.value << ' ' << out.port << ' ' << times[0] << ' ' << times[1] << ' '
            << times[times.size() - 2] << ' ' << times[times.size() - 1] << std::endl;
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    try {
      print(execute({std::istream_iterator<std::string>(in), {}}));
    } catch (const std::exception&) {
      print({-EINVAL, 0, {}});
    }
  }
}
