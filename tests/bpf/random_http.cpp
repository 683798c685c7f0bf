#include "tests/bpf/random_http.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>

namespace manometer::test {
namespace {

uint64_t fresh_seed() {
  const char* given = std::getenv("MANOMETER_SEED");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  const uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  std::cout << "MANOMETER_SEED=" << seed << '\n';
  return seed;
}

std::string hexadecimal(size_t number) {
  constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
  std::string out;
  for (; number > 0 || out.empty(); number /= 16) out.insert(out.begin(), kDigits[number % 16]);
  return out;
}

std::string header_lines(Random& random) {
  static const std::vector<std::string> kLines{"Host: a\r\n",
                                               "X: \r\n",
                                               "Content-Lengthy: 7\r\n",
                                               "Transfer-Encodings: chunked\r\n",
                                               "Accept: */*\n",
                                               "Cookie: " + std::string(100, 'c') + "\r\n",
                                               "content-type: text/plain\r\n",
                                               "X-Content-Length: 12\r\n",
                                               "Accept-Encoding: gzip\r\n",
                                               "X-A: HTTP/1.1 200 OK\r\n",
                                               "X-B: GET / HTTP/1.1\r\n"};
  std::string out;
  for (uint64_t n = random.number(6); n > 0; --n) out += random.of(kLines);
  return out;
}

/// The rest of a header, and the body that it announces.
std::string rest_with_body(Random& random, bool may_have_none) {
  static const std::vector<std::string> kLengths{"Content-Length: ", "content-length:", "CONTENT-LENGTH:\t"};
  static const std::vector<std::string> kChunked{"Transfer-Encoding: chunked\r\n", "transfer-encoding:chunked\n",
                                                 "Transfer-Encoding: gzip, chunked\r\n"};
  const std::string before = header_lines(random);
  const std::string after = header_lines(random) + "\r\n";
  const uint64_t kind = random.number(may_have_none ? 3 : 2);
  if (kind == 2) return before + after;
  if (kind == 1) {
    const size_t size = random.number(random.one_in(4) ? 700 : 40);
    return before + random.of(kLengths) + std::to_string(size) + "\r\n" + after + random.bytes(size);
  }
  std::string out = before + random.of(kChunked) + after;
  for (uint64_t n = random.number(5); n > 0; --n) {
    const size_t size = 1 + random.number(random.one_in(4) ? 300 : 20);
    out += hexadecimal(size) + (random.one_in(3) ? ";extension=1\r\n" : "\r\n") + random.bytes(size) + "\r\n";
  }
  return out + (random.one_in(3) ? "0\r\nX-Trailer: GET / HTTP/1.1\r\n\r\n" : "0\r\n\r\n");
}

std::string random_piece(Random& random) {
  static const std::vector<std::string> kPieces{"GET ",
                                                "POST /",
                                                "HEAD / HTTP/1.1\r\n",
                                                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                                "CONNECT a:1 HTTP/1.1\r\n\r\n",
                                                "HTTP/1.1 ",
                                                "HTTP/1.1 200 OK\r\n",
                                                "HTTP/1.0 101 Switching\r\n\r\n",
                                                "HTTP/1.1 204\r\n\r\n",
                                                "HTTP/2 200\r\n",
                                                "HTTP/1.1 100 Continue\r\n\r\n",
                                                "Content-Length: 18446744073709551615\r\n",
                                                "Content-Length: 999999999999999\r\n",
                                                "Content-Length: -1\r\n",
                                                "Content-Length:",
                                                "Content-Length: 0\r\n\r\n",
                                                "Content-Length: 3\r\n",
                                                "Transfer-Encoding: chunked\r\n\r\n",
                                                "Transfer-Encoding: identity\r\n",
                                                "fffffffffffffff\r\n",
                                                "ffffffffffffffffffff\r\n",
                                                "0\r\n\r\n",
                                                "5\r\nhello\r\n",
                                                "0;x\r\n",
                                                "\r\n",
                                                "\n",
                                                "\r",
                                                "\r\n\r\n",
                                                " ",
                                                "\x16\x03\x01"};
  if (random.one_in(8)) return random.bytes(random.number(64));
  if (random.one_in(8)) return std::string(random.number(80), static_cast<char>('a' + random.number(26)));
  return random.of(kPieces);
}

}  // namespace

Random::Random() : engine_(fresh_seed()) {}

std::string Random::bytes(size_t size) {
  std::string out(size, '\0');
  std::ranges::generate(out, [&] { return static_cast<char>(engine_()); });
  return out;
}

HttpMessage random_request(Random& random) {
  static const std::vector<std::string> kMethods{"GET",   "POST",  "PUT",      "DELETE",  "OPTIONS",
                                                 "PATCH", "TRACE", "PROPFIND", "M-SEARCH"};
  const std::string path = "/" + std::string(random.number(random.one_in(3) ? 200 : 10), 'p');
  const std::string line = random.of(kMethods) + " " + path + " HTTP/1." + (random.one_in(2) ? "1\r\n" : "0\n");
  return {line + rest_with_body(random, true), line.size(), 0};
}

HttpMessage random_response(Random& random) {
  static const std::vector<int> kCodes{200, 201, 204, 206, 301, 304, 400, 404, 500, 503};
  const int code = random.of(kCodes);
  const std::string line = "HTTP/1.1 " + std::to_string(code) + (random.one_in(2) ? " Whatever\r\n" : "\r\n");
  const bool empty = code == 204 || code == 304;
  std::string bytes = line + (empty ? header_lines(random) + "\r\n" : rest_with_body(random, false));
  if (random.one_in(5)) bytes.insert(0, "HTTP/1.1 100 Continue\r\n\r\n");
  return {bytes, line.size(), code};
}

std::string random_payload(Random& random, size_t most) {
  std::string out;
  const size_t size = random.number(most);
  while (out.size() < size) {
    if (random.one_in(4)) {
      out += random.one_in(2) ? random_request(random).bytes : random_response(random).bytes;
    } else {
      out += random_piece(random);
    }
  }
  return random.one_in(2) ? out.substr(0, size) : mutated(random, out.substr(0, size));
}

std::string mutated(Random& random, std::string bytes) {
  for (uint64_t n = 1 + random.number(4); n > 0 && !bytes.empty(); --n) {
    const size_t at = random.number(bytes.size());
    const size_t size = random.number(16);
    switch (random.number(5)) {
      case 0:
        bytes[at] = static_cast<char>(random.number(256));
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ 1 << random.number(8));
        break;
      case 2:
        bytes.erase(at, size);
        break;
      case 3:
        bytes.insert(at, bytes.substr(random.number(bytes.size()), size));
        break;
      default:
        bytes.insert(at, random_piece(random));
    }
  }
  return bytes;
}

std::vector<std::string> random_cuts(Random& random, const std::string& bytes, size_t longest) {
  std::vector<std::string> out;
  for (size_t at = 0; at < bytes.size(); at += out.back().size())
    out.push_back(bytes.substr(at, 1 + random.number(longest)));
  return out;
}

}  // namespace manometer::test
