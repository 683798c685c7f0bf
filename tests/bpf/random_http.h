#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace manometer::test {

/// Says where it started, so that a failure can be had again: MANOMETER_SEED=N.
class Random {
 public:
  Random();
  explicit Random(uint64_t seed) : engine_(seed) {}

  /// 0 to below - 1.
  uint64_t number(uint64_t below) { return engine_() % below; }
  bool one_in(uint64_t n) { return number(n) == 0; }
  std::string bytes(size_t size);
  template <typename T>
  const T& of(const std::vector<T>& choices) {
    return choices[number(choices.size())];
  }

 private:
  std::mt19937_64 engine_;
};

/// One message as it is on the wire.
struct HttpMessage {
  std::string bytes;
  size_t first_line = 0;  // its bytes, the newline too
  int code = 0;           // of a response
};

/// Well-formed, with header lines and a body of any kind.
HttpMessage random_request(Random& random);
/// Well-formed, with an end of its own, to a request that was not HEAD; perhaps after a 1xx.
HttpMessage random_response(Random& random);

/// Pieces of messages, as they are or spoilt: methods, lengths, chunks, line ends, random bytes.
std::string random_payload(Random& random, size_t most);
/// A few bytes of it changed, lost, doubled or moved.
std::string mutated(Random& random, std::string bytes);

/// Cut at random places.
std::vector<std::string> random_cuts(Random& random, const std::string& bytes, size_t longest);

}  // namespace manometer::test
