#pragma once

#include <arpa/inet.h>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <netinet/tcp.h>
#include <string>

namespace manometer::test {

/// A TCP segment to be wrapped in IP. IPv4's and TCP's options are zeros.
struct Segment {
  bool v6 = false;
  size_t ip_words = 5;   // length of IPv4's header, 5 to 15
  size_t tcp_words = 5;  // the same of TCP's
  uint32_t seq = 0;
  bool fin = false;
  std::string payload;
};

inline constexpr size_t kEtherTypeAt = 12;  // in an Ethernet frame

template <typename Header>
void append_header(std::string& packet, const Header& header, size_t size) {
  const size_t at = packet.size();
  packet.resize(at + size);
  std::memcpy(packet.data() + at, &header, sizeof(header));
}

/// An IP packet that passes for an Ethernet frame too: its source address has the type of its protocol where that has
/// it.
inline std::string to_packet(const Segment& segment) {
  const size_t tcp_size = size_t{4} * segment.tcp_words + segment.payload.size();
  std::string packet;
  if (segment.v6) {
    ipv6hdr ip{};
    ip.version = 6;
    ip.nexthdr = IPPROTO_TCP;
    ip.payload_len = htons(static_cast<uint16_t>(tcp_size));
    append_header(packet, ip, sizeof(ip));
  } else {
    iphdr ip{};
    ip.version = 4;
    ip.ihl = segment.ip_words & 0xf;
    ip.protocol = IPPROTO_TCP;
    ip.tot_len = htons(static_cast<uint16_t>(size_t{4} * segment.ip_words + tcp_size));
    append_header(packet, ip, size_t{4} * segment.ip_words);
  }
  const uint16_t type = htons(segment.v6 ? ETH_P_IPV6 : ETH_P_IP);
  std::memcpy(packet.data() + kEtherTypeAt, &type, sizeof(type));
  tcphdr tcp{};
  tcp.seq = htonl(segment.seq);
  tcp.doff = segment.tcp_words & 0xf;
  tcp.ack = 1;
  tcp.fin = segment.fin;
  append_header(packet, tcp, size_t{4} * segment.tcp_words);
  return packet + segment.payload;
}

}  // namespace manometer::test
