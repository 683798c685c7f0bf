#pragma once

#include <arpa/inet.h>
#include <cstdint>
#include <netinet/in.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>

namespace manometer::test {

/// An IPv4 or IPv6 address and a port, for the socket calls.
class SocketAddress {
 public:
  /// Throws if host is not an address.
  SocketAddress(const std::string& host, uint16_t port) {
    if (host.find(':') == std::string::npos) {
      v4_.sin_family = AF_INET;
      v4_.sin_port = htons(port);
      valid_ = ::inet_pton(AF_INET, host.c_str(), &v4_.sin_addr) == 1;
    } else {
      v6_.sin6_family = AF_INET6;
      v6_.sin6_port = htons(port);
      valid_ = ::inet_pton(AF_INET6, host.c_str(), &v6_.sin6_addr) == 1;
    }
    if (!valid_) throw std::runtime_error("not an address: " + host);
  }

  /// The address a socket is bound to.
  static uint16_t port_of(int socket) {
    sockaddr_in6 address{};
    socklen_t size = sizeof(address);
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin6_port);  // in the same place for both families
  }

  int family() const { return v6_.sin6_family == AF_INET6 ? AF_INET6 : AF_INET; }
  const sockaddr* get() const {
    return family() == AF_INET6 ? reinterpret_cast<const sockaddr*>(&v6_) : reinterpret_cast<const sockaddr*>(&v4_);
  }
  socklen_t size() const { return family() == AF_INET6 ? sizeof(v6_) : sizeof(v4_); }

 private:
  sockaddr_in v4_{};
  sockaddr_in6 v6_{};
  bool valid_ = false;
};

}  // namespace manometer::test
