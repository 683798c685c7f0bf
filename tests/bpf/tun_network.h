#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/unique_fd.h"

namespace manometer::test {

/// A network namespace of the test's own and in it a TUN device, whose other end is the test: it makes every packet of
/// a client itself. Address of the server there: kServer, of the client: kClient.
class TunNetwork {
 public:
  static constexpr const char* kServer = "10.9.0.1";
  static constexpr const char* kClient = "10.9.0.2";

  /// From now on this thread makes sockets and processes there. why_not() tells if that could not be.
  TunNetwork();
  /// Makes them where it did before.
  void leave();
  ~TunNetwork() { leave(); }
  TunNetwork(const TunNetwork&) = delete;
  TunNetwork& operator=(const TunNetwork&) = delete;

  const std::string& why_not() const { return why_not_; }

  void send(std::string_view packet) const;
  /// The next packet from the server; nullopt if none comes within patience.
  std::optional<std::string> receive(int patience_ms) const;

 private:
  std::string set_up();

  UniqueFd before_;
  UniqueFd tun_;
  std::string why_not_;
};

/// What a packet of the server says.
struct FromServer {
  uint32_t at = 0;  // offset of its bytes in what the server sends
  std::string bytes;
  bool syn = false;
  bool fin = false;
  bool reset = false;
};

/// A TCP client of a server in a TunNetwork, that sends and acknowledges what it is told to and nothing else.
class TunClient {
 public:
  enum class Greets { kAtOnce, kWithItsFirstBytes };

  /// Opens a connection; with kWithItsFirstBytes its side of the handshake ends with the first send().
  TunClient(const TunNetwork& network, uint16_t port, Greets greets = Greets::kAtOnce, uint16_t local_port = 20'000);

  /// One segment, with bytes that begin at this offset in what the client sends.
  void send(uint32_t at, std::string_view bytes) { send(at, bytes, 0); }
  /// The same as one packet of many segments, as a network card merges them.
  void send_merged(uint32_t at, std::string_view bytes) { send(at, bytes, kSegmentSize); }
  /// Has received so many of the server's bytes.
  void acknowledge(uint32_t count);
  /// The next packet with bytes or a flag; throws if none comes.
  FromServer receive() const;
  void reset() const;
  /// A router says that there is no way to the client.
  void be_unreachable() const;

 private:
  static constexpr uint16_t kSegmentSize = 1400;

  void send(uint32_t at, std::string_view bytes, uint16_t segment_size);
  std::string packet(uint32_t at, std::string_view bytes, uint8_t flags, uint16_t segment_size) const;

  const TunNetwork& network_;
  uint16_t port_;
  uint16_t local_port_;
  uint32_t server_start_ = 0;  // sequence number of the server's first byte
  uint32_t sent_ = 0;          // end of what was sent, as an offset
  uint32_t acknowledged_ = 0;  // of the server's bytes
};

}  // namespace manometer::test
