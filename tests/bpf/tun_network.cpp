#include "tests/bpf/tun_network.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <linux/icmp.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

#include "tests/support/child.h"

namespace manometer::test {
namespace {

constexpr uint32_t kClientStart = 1'000'000;  // sequence number of the client's first byte
constexpr uint8_t kSyn = 2;
constexpr uint8_t kReset = 4;
constexpr uint8_t kPush = 8;
constexpr uint8_t kAck = 16;
constexpr size_t kFlagsAt = 13;  // in a TCP header

/// virtio_net_hdr of <linux/virtio_net.h>, which is no C++.
struct PacketHeader {
  static constexpr uint8_t kNeedsChecksum = 1;
  static constexpr uint8_t kTcpV4 = 1;

  uint8_t flags = kNeedsChecksum;
  uint8_t gso_type = 0;
  uint16_t header_length = 0;
  uint16_t gso_size = 0;
  uint16_t checksum_start = 0;
  uint16_t checksum_offset = 0;
};
static_assert(sizeof(PacketHeader) == 10);

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

sockaddr to_sockaddr(const char* address) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  ::inet_pton(AF_INET, address, &in.sin_addr);
  sockaddr out{};
  std::memcpy(&out, &in, sizeof(out));
  return out;
}

/// False, with errno, if it cannot be.
bool bring_up(const char* device, const char* address) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, device, IFNAMSIZ - 1);
  request.ifr_addr = to_sockaddr(address);
  if (::ioctl(socket.get(), SIOCSIFADDR, &request) != 0) return false;
  request.ifr_netmask = to_sockaddr("255.0.0.0");
  if (::ioctl(socket.get(), SIOCSIFNETMASK, &request) != 0) return false;
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

uint32_t sum_of(std::string_view bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    sum += i % 2 == 0 ? uint32_t{byte} << 8 : byte;
  }
  return sum;
}

/// The Internet checksum, still to be inverted.
uint16_t fold(uint32_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

template <typename T>
std::string_view bytes_of_object(const T& object) {
  return {reinterpret_cast<const char*>(&object), sizeof(object)};
}

iphdr ip_header(const char* from, const char* to, uint8_t protocol, size_t payload) {
  iphdr ip{};
  ip.version = 4;
  ip.ihl = sizeof(ip) / 4;
  ip.ttl = 64;
  ip.protocol = protocol;
  ip.tot_len = htons(static_cast<uint16_t>(sizeof(ip) + payload));
  ::inet_pton(AF_INET, from, &ip.saddr);
  ::inet_pton(AF_INET, to, &ip.daddr);
  ip.check = htons(static_cast<uint16_t>(~fold(sum_of(bytes_of_object(ip)))));
  return ip;
}

template <typename T>
T read_at(const std::string& bytes, size_t at) {
  T out{};
  if (bytes.size() < at + sizeof(out)) throw std::runtime_error("a packet of the server is too short");
  std::memcpy(&out, bytes.data() + at, sizeof(out));
  return out;
}

}  // namespace

TunNetwork::TunNetwork() : why_not_(set_up()) {}

std::string TunNetwork::set_up() {
  const auto because = [](const char* what) { return std::string(what) + ": " + std::strerror(errno); };
  before_ = UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (::unshare(CLONE_NEWNET) != 0) return because("no network namespace can be made");
  tun_ = UniqueFd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (!tun_) return because("no /dev/net/tun (load the module tun)");
  ifreq request{};
  std::strncpy(request.ifr_name, "tun0", IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  if (::ioctl(tun_.get(), TUNSETIFF, &request) != 0) return because("no TUN device can be made");
  if (!bring_up("lo", "127.0.0.1") || !bring_up("tun0", kServer)) return because("no address can be set");
  // So that a client who does not answer is given up within seconds, not after a quarter of an hour.
  std::ofstream("/proc/sys/net/ipv4/tcp_retries2") << 1;
  return "";
}

void TunNetwork::leave() {
  if (before_) ::setns(before_.get(), CLONE_NEWNET);
  before_ = UniqueFd();
}

void TunNetwork::send(std::string_view packet) const {
  if (::write(tun_.get(), packet.data(), packet.size()) != static_cast<ssize_t>(packet.size())) fail("write to tun0");
}

std::optional<std::string> TunNetwork::receive(int patience_ms) const {
  pollfd ready{tun_.get(), POLLIN, 0};
  if (::poll(&ready, 1, patience_ms) <= 0) return std::nullopt;
  std::string packet(1 << 16, '\0');
  const ssize_t size = ::read(tun_.get(), packet.data(), packet.size());
  if (size < static_cast<ssize_t>(sizeof(PacketHeader))) fail("read from tun0");
  return packet.substr(sizeof(PacketHeader), static_cast<size_t>(size) - sizeof(PacketHeader));
}

TunClient::TunClient(const TunNetwork& network, uint16_t port, Greets greets, uint16_t local_port)
    : network_(network), port_(port), local_port_(local_port) {
  network_.send(packet(UINT32_MAX, "", kSyn, 0));
  const FromServer answer = receive();
  if (!answer.syn) throw std::runtime_error("the server does not answer a SYN");
  server_start_ = answer.at + 1;
  if (greets == Greets::kAtOnce) acknowledge(0);
}

std::string TunClient::packet(uint32_t at, std::string_view bytes, uint8_t flags, uint16_t segment_size) const {
  const size_t tcp_size = sizeof(tcphdr) + bytes.size();
  const iphdr ip = ip_header(TunNetwork::kClient, TunNetwork::kServer, IPPROTO_TCP, tcp_size);
  tcphdr tcp{};
  tcp.source = htons(local_port_);
  tcp.dest = htons(port_);
  tcp.seq = htonl(kClientStart + at);
  tcp.ack_seq = htonl(server_start_ + acknowledged_);
  tcp.doff = sizeof(tcp) / 4;
  tcp.window = htons(UINT16_MAX);
  std::memcpy(reinterpret_cast<char*>(&tcp) + kFlagsAt, &flags, sizeof(flags));
  // Of the checksum the addresses, the protocol and the length; the kernel takes what would be added as right.
  tcp.check = htons(fold(sum_of(bytes_of_object(ip.saddr)) + sum_of(bytes_of_object(ip.daddr)) + IPPROTO_TCP +
                         static_cast<uint32_t>(tcp_size)));

  PacketHeader header;
  header.checksum_start = sizeof(ip);
  header.checksum_offset = offsetof(tcphdr, check);
  if (segment_size > 0) {
    header.gso_type = PacketHeader::kTcpV4;
    header.gso_size = segment_size;
    header.header_length = sizeof(ip) + sizeof(tcp);
  }
  std::string out(bytes_of_object(header));
  return out.append(bytes_of_object(ip)).append(bytes_of_object(tcp)).append(bytes);
}

void TunClient::send(uint32_t at, std::string_view bytes, uint16_t segment_size) {
  sent_ = std::max(sent_, at + static_cast<uint32_t>(bytes.size()));
  network_.send(packet(at, bytes, kAck | kPush, segment_size));
}

void TunClient::acknowledge(uint32_t count) {
  acknowledged_ = count;
  network_.send(packet(sent_, "", kAck, 0));
}

void TunClient::reset() const {
  network_.send(packet(sent_, "", kReset | kAck, 0));
}

void TunClient::be_unreachable() const {
  tcphdr tcp{};
  tcp.source = htons(port_);
  tcp.dest = htons(local_port_);
  tcp.seq = htonl(server_start_ + acknowledged_);
  constexpr size_t kQuoted = 8;  // bytes of TCP
  const iphdr refused = ip_header(TunNetwork::kServer, TunNetwork::kClient, IPPROTO_TCP, sizeof(tcp));
  icmphdr icmp{};
  icmp.type = ICMP_DEST_UNREACH;
  icmp.code = ICMP_HOST_UNREACH;
  const std::string quote = std::string(bytes_of_object(refused)).append(bytes_of_object(tcp).substr(0, kQuoted));
  icmp.checksum = htons(static_cast<uint16_t>(~fold(sum_of(bytes_of_object(icmp)) + sum_of(quote))));

  PacketHeader header;
  header.flags = 0;
  const iphdr ip = ip_header(TunNetwork::kClient, TunNetwork::kServer, IPPROTO_ICMP, sizeof(icmp) + quote.size());
  network_.send(std::string(bytes_of_object(header)).append(bytes_of_object(ip)).append(bytes_of_object(icmp)) + quote);
}

FromServer TunClient::receive() const {
  constexpr auto kPatienceMs = static_cast<int>(std::chrono::milliseconds(kPatience).count());
  while (const auto packet = network_.receive(kPatienceMs)) {
    const auto ip = read_at<iphdr>(*packet, 0);
    if (ip.version != 4 || ip.protocol != IPPROTO_TCP) continue;
    const auto tcp = read_at<tcphdr>(*packet, size_t{4} * ip.ihl);
    if (tcp.dest != htons(local_port_)) continue;
    FromServer out{ntohl(tcp.seq) - server_start_, packet->substr(size_t{4} * (ip.ihl + tcp.doff)), tcp.syn != 0,
                   tcp.fin != 0, tcp.rst != 0};
    if (!out.bytes.empty() || out.syn || out.fin || out.reset) return out;
  }
  throw std::runtime_error("nothing comes from the server");
}

}  // namespace manometer::test
