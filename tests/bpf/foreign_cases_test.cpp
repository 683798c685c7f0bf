// Connections that do not speak HTTP/1, or stop to.

#include "tests/bpf/request_case.h"

namespace manometer::test {
namespace {

using namespace std::string_literals;

const std::string kUpgrade = "GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const std::string kSwitching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
/// What looks like HTTP in both directions, among what does not.
const std::string kFrames = "\x82\x7f\0\0\0\x01"s + kGet + kOk;

class ForeignCase : public RequestCase {
 protected:
  /// Binary data both ways, cut where HTTP would begin.
  static void talk_binary(Talk& talk) {
    for (int i = 0; i < 3; i++) {
      talk.send_more({kFrames, kGet});
      talk.read();
      talk.write({kFrames, kOk});
    }
    talk.write({kOk});
    talk.send_more({kGet});
  }
};

TEST_F(ForeignCase, WebSocket) {
  Talk& talk = connect();
  const Timeline handshake = talk.exchange({kUpgrade}, {kSwitching});
  expect({.observed = {{"GET 101", 1}}});
  talk_binary(talk);
  talk.server().close();
  expect({.observed = {{"GET 101", 1}}});
  expect_times({handshake});
}

TEST_F(ForeignCase, WebSocketWhoseFirstFrameComesWithTheHandshake) {
  Talk& talk = connect();
  const Timeline handshake = talk.exchange({kUpgrade}, {kSwitching + kFrames});
  talk_binary(talk);
  expect({.observed = {{"GET 101", 1}}});
  expect_times({handshake});
}

TEST_F(ForeignCase, UpgradeRefused) {
  Talk& talk = connect();
  const Timeline refused = talk.exchange({kUpgrade}, {kOk});
  const Timeline next = talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"GET 200", 1}, {"GET 404", 1}}});
  expect_times({refused, next});
}

TEST_F(ForeignCase, Connect) {
  Talk& talk = connect();
  const Timeline connected = talk.exchange({"CONNECT host:443 HTTP/1.1\r\n\r\n"}, {"HTTP/1.1 200 OK\r\n\r\n"});
  talk_binary(talk);
  talk.client().close();
  talk.server().close();
  expect({.observed = {{"CONNECT 200", 1}}});
  expect_times({connected});
}

TEST_F(ForeignCase, ConnectRefused) {
  Talk& talk = connect();
  const Timeline refused =
      talk.exchange({"CONNECT host:443 HTTP/1.1\r\n\r\n"}, {"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno"});
  const Timeline next = talk.exchange({kGet}, {kOk});
  expect({.observed = {{"CONNECT 407", 1}, {"GET 200", 1}}});
  expect_times({refused, next});
}

/// What a client begins with that is no HTTP/1.
struct Greeting {
  std::string name;
  std::string bytes;
};

std::ostream& operator<<(std::ostream& out, const Greeting& greeting) {
  return out << greeting.name;
}

class ForeignCaseOf : public ForeignCase, public testing::WithParamInterface<Greeting> {};

TEST_P(ForeignCaseOf, CountsOnceForItsConnection) {
  Talk& talk = connect();
  talk.send({GetParam().bytes});
  expect({.unmatched = {{"not_http", 1}}});
  talk.read();
  talk_binary(talk);
  talk.server().close();
  expect({.unmatched = {{"not_http", 1}}});
  expect_times({});
}

TEST_P(ForeignCaseOf, AlsoByteByByte) {
  Talk& talk = connect();
  talk.send(bytes_of(GetParam().bytes));
  talk.read();
  talk_binary(talk);
  expect({.unmatched = {{"not_http", 1}}});
  expect_times({});
}

INSTANTIATE_TEST_SUITE_P(
    All, ForeignCaseOf,
    testing::Values(Greeting{"tls", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"s + std::string(500, '\x5a')},
                    Greeting{"http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\0"s},
                    Greeting{"zeros", std::string(100, '\0')}, Greeting{"high_bytes", std::string(100, '\xff')},
                    Greeting{"redis", "*1\r\n$4\r\nPING\r\n"}, Greeting{"smtp", "EHLO host.example\r\nMAIL FROM:<a@b>\r\n"},
                    Greeting{"text", "a line of text that no server asked for\r\n"},
                    Greeting{"long_line", std::string(5000, 'x') + "\r\n"}, Greeting{"no_method", " / HTTP/1.1\r\n\r\n"},
                    Greeting{"no_path", "GET\r\nHost: a\r\n\r\n"}, Greeting{"proxy_protocol", "PROXY TCP4 1.2.3.4 1.2.3.4 5 6\r\n" + kGet},
                    Greeting{"bytes_in_the_method", "G\x01T / HTTP/1.1\r\n\r\n"},
                    Greeting{"long_method", std::string(40, 'M') + " / HTTP/1.1\r\n\r\n"}),
    [](const auto& test) { return test.param.name; });

TEST_F(ForeignCase, ServerThatSpeaksFirst) {
  Talk& talk = connect();
  talk.write({"220 mail.example ESMTP\r\n"});
  talk.send({"EHLO client.example\r\n"});
  talk.answer({"250 mail.example\r\n"});
  talk.server().close();
  expect({.unmatched = {{"not_http", 1}}});
  expect_times({});
}

TEST_F(ForeignCase, ServerThatSpeaksFirstAndClientThatSaysNothing) {
  Talk& talk = connect();
  talk.write({"5.5.5-10.11.2-MariaDB"});
  talk.server().close();
  expect({});
}

TEST_F(ForeignCase, AnswerThatIsNotHttp) {
  Talk& talk = connect();
  Timeline request = talk.exchange({kGet}, {"SSH-2.0-server\r\n"});
  request.first_byte.reset();
  request.last_byte.reset();
  expect({.unmatched = {{"bad_response", 1}}});
  talk_binary(talk);
  expect({.unmatched = {{"bad_response", 1}}});
  expect_times({request});
}

TEST_F(ForeignCase, AnswerOfHttp09) {
  Talk& talk = connect();
  talk.exchange({"GET /\r\n"}, {"<html>"});
  talk.server().close();
  expect({.unmatched = {{"bad_response", 1}}});
}

TEST_F(ForeignCase, NotHttpAfterHttp) {
  Talk& talk = connect();
  const Timeline request = talk.exchange({kGet}, {kOk});
  talk.send({"\x01\x02 no request at all, in more than 32 bytes"});
  talk_binary(talk);
  expect({.observed = {{"GET 200", 1}}, .unmatched = {{"not_http", 1}}});
  expect_times({request});
}

}  // namespace
}  // namespace manometer::test
