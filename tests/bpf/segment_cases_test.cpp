// Segments that a client's kernel would not send on loopback: lost, repeated, out of order, merged, together with the
// handshake. The test makes each packet itself.

#include <fstream>

#include "tests/bpf/clock.h"
#include "tests/bpf/request_case.h"
#include "tests/bpf/tun_network.h"
#include "tests/support/skip.h"

namespace manometer::test {
namespace {

/// What is made before leave() is in the network.
struct InTunNetwork {
  TunNetwork network;
};

class SegmentCase : protected InTunNetwork, public RequestCase {
 protected:
  SegmentCase() { network.leave(); }

  void SetUp() override {
    if (!network.why_not().empty()) MANOMETER_SKIP(network.why_not());
    RequestCase::SetUp();
    listener_ = server_.listen(RawServer::Family::kDual);
    await_watched();
  }

  void await_unmatched(const std::string& reason) const {
    agent->scrape_until([&](const Scraped& now) { return counted(now).unmatched.contains(reason); });
  }

  static uint32_t size_of(const std::string& bytes) { return static_cast<uint32_t>(bytes.size()); }

  /// A step of the client and the time in which it was taken. A packet is processed before the call that sends it ends.
  template <typename F>
  static Between during(F step) {
    const uint64_t before = now_ns();
    step();
    return {before, now_ns()};
  }

  /// The server reads and answers in one segment.
  static void answer(RawServerConnection& server, size_t request, const std::string& response, Timeline& times) {
    times.read = first_of(server.read(request));
    times.first_byte = times.last_byte = first_of(server.write({response}));
  }

  /// The first came with the handshake.
  void expect_first_and_second(const Timeline& first, const Timeline& second) {
    if (kernel_is_old()) {
      --sent_otherwise_;
      expect({.observed = {{"GET 404", 1}}, .no_request = 1});
      expect_times({second});
    } else {
      expect({.observed = {{"GET 200", 1}, {"GET 404", 1}}});
      expect_times({first, second});
    }
  }

  /// A request, and half of its response, which the client does not acknowledge.
  Timeline ask_for_more_than_it_gets(TunClient& client, RawServerConnection& server) {
    Timeline request;
    ++sent_otherwise_;
    request.arrival = during([&] { client.send(0, kGet); });
    answer(server, kGet.size(), "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", request);
    request.last_byte.reset();
    return request;
  }
  /// The server's kernel gives up repeating it.
  void expect_given_up(const Timeline& request) const {
    await_unmatched("timed_out");
    expect({.unmatched = {{"timed_out", 1}}});
    expect_times({request});
  }

  /// One more request, which is only matched if all before was understood.
  Timeline exchange(TunClient& client, RawServerConnection& server, uint32_t at) {
    Timeline times;
    ++sent_otherwise_;
    times.arrival = during([&] { client.send(at, kGet); });
    answer(server, kGet.size(), kNotFound, times);
    return times;
  }
};

TEST_F(SegmentCase, Plain) {
  TunClient client(network, listener_.port);
  RawServerConnection server = server_.accept(listener_);
  const Timeline request = exchange(client, server, 0);
  EXPECT_EQ(client.receive().bytes, kNotFound);
  client.acknowledge(size_of(kNotFound));
  client.reset();
  expect({.observed = {{"GET 404", 1}}});
  expect_times({request});
}

TEST_F(SegmentCase, RequestSentTwice) {
  TunClient client(network, listener_.port);
  RawServerConnection server = server_.accept(listener_);
  Timeline first;
  ++sent_otherwise_;
  first.arrival = during([&] { client.send(0, kGet); });
  client.send(0, kGet);
  answer(server, kGet.size(), kOk, first);
  client.acknowledge(size_of(kOk));
  client.send(0, kGet);
  const Timeline second = exchange(client, server, size_of(kGet));
  expect({.observed = {{"GET 200", 1}, {"GET 404", 1}}});
  expect_times({first, second});
}

TEST_F(SegmentCase, SegmentsThatOverlap) {
  TunClient client(network, listener_.port);
  RawServerConnection server = server_.accept(listener_);
  Timeline first;
  ++sent_otherwise_;
  first.arrival = during([&] { client.send(0, kGet.substr(0, 10)); });
  client.send(5, kGet.substr(5, 15));
  client.send(0, kGet);
  answer(server, kGet.size(), kOk, first);
  client.acknowledge(size_of(kOk));
  // The last bytes of the first request come once more, with the second.
  Timeline second;
  ++sent_otherwise_;
  second.arrival = during([&] { client.send(size_of(kGet) - 10, kGet.substr(kGet.size() - 10) + kGet); });
  answer(server, kGet.size(), kNotFound, second);
  expect({.observed = {{"GET 200", 1}, {"GET 404", 1}}});
  expect_times({first, second});
}

TEST_F(SegmentCase, HeaderOutOfOrder) {
  TunClient client(network, listener_.port);
  RawServerConnection server = server_.accept(listener_);
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\nAccept: b\r\n\r\n";
  Timeline first;
  ++sent_otherwise_;
  client.send(24, request.substr(24));
  first.arrival = during([&] { client.send(0, request.substr(0, 24)); });
  answer(server, request.size(), kOk, first);
  client.acknowledge(size_of(kOk));
  const Timeline second = exchange(client, server, size_of(request));
  expect({.observed = {{"GET 200", 1}, {"GET 404", 1}}});
  expect_times({first, second});
}

TEST_F(SegmentCase, FirstLineOutOfOrder) {
  TunClient client(network, listener_.port);
  RawServerConnection server = server_.accept(listener_);
  ++sent_otherwise_;
  client.send(5, kGet.substr(5));
  client.send(0, kGet.substr(0, 5));
  // What came too early has gone by: the line that was to begin the request is never seen to end.
  Timeline lost;
  answer(server, kGet.size(), kOk, lost);
  client.acknowledge(size_of(kOk));
  const Timeline second = exchange(client, server, size_of(kGet));
  expect({.observed = {{"GET 404", 1}}, .unmatched = {{"out_of_order", 1}}, .no_request = 1});
  expect_times({second});
}

TEST_F(SegmentCase, BodyOutOfOrder) {
  TunClient client(network, listener_.port);
  RawServerConnection server = server_.accept(listener_);
  const std::string header = "POST / HTTP/1.1\r\nContent-Length: 3000\r\n\r\n";
  const std::string body = std::string(1000, 'a') + kGet + std::string(2000 - kGet.size(), 'b');
  const uint32_t at = size_of(header);
  Timeline first;
  ++sent_otherwise_;
  first.arrival = during([&] { client.send(0, header); });
  client.send(at + 2000, body.substr(2000));
  client.send(at + 1000, body.substr(1000, 1000));
  client.send(at, body.substr(0, 1000));
  answer(server, header.size() + body.size(), kOk, first);
  client.acknowledge(size_of(kOk));
  const Timeline second = exchange(client, server, at + 3000);
  expect({.observed = {{"POST 200", 1}, {"GET 404", 1}}});
  expect_times({first, second});
}

TEST_F(SegmentCase, MergedSegments) {
  TunClient client(network, listener_.port);
  RawServerConnection server = server_.accept(listener_);
  const std::string request = "POST / HTTP/1.1\r\n" + repeat("Cookie: " + std::string(90, 'c') + "\r\n", 20) +
                              "Content-Length: 30000\r\n\r\n" + std::string(30'000, 'b') + kGet;
  Timeline times;
  sent_otherwise_ += 2;
  times.arrival = during([&] { client.send_merged(0, request); });
  answer(server, request.size(), kOk + kNotFound, times);
  expect({.observed = {{"POST 200", 1}, {"GET 404", 1}}});
  expect_times({times, times});
}

TEST_F(SegmentCase, RequestWithTheHandshake) {
  TunClient client(network, listener_.port, TunClient::Greets::kWithItsFirstBytes);
  Timeline first;
  ++sent_otherwise_;
  first.arrival = during([&] { client.send(0, kGet); });
  RawServerConnection server = server_.accept(listener_);
  answer(server, kGet.size(), kOk, first);
  client.acknowledge(size_of(kOk));
  const Timeline second = exchange(client, server, size_of(kGet));
  expect_first_and_second(first, second);
}

TEST_F(SegmentCase, LongRequestWithTheHandshake) {
  TunClient client(network, listener_.port, TunClient::Greets::kWithItsFirstBytes);
  const std::string request = "GET / HTTP/1.1\r\n" + repeat("A: 1\r\n", 100) + "\r\n";
  Timeline first;
  ++sent_otherwise_;
  first.arrival = during([&] { client.send(0, request); });
  RawServerConnection server = server_.accept(listener_);
  answer(server, request.size(), kOk, first);
  client.acknowledge(size_of(kOk));
  const Timeline second = exchange(client, server, size_of(request));
  expect_first_and_second(first, second);
}

TEST_F(SegmentCase, HalfARequestWithTheHandshake) {
  TunClient client(network, listener_.port, TunClient::Greets::kWithItsFirstBytes);
  Timeline first;
  ++sent_otherwise_;
  first.arrival = during([&] { client.send(0, kGet.substr(0, 7)); });
  RawServerConnection server = server_.accept(listener_);
  client.send(7, kGet.substr(7));
  answer(server, kGet.size(), kOk, first);
  if (kernel_is_old()) {
    expect({.unmatched = {{"not_http", 1}}});
  } else {
    expect({.observed = {{"GET 200", 1}}});
    expect_times({first});
  }
}

TEST_F(SegmentCase, ResponseSentTwice) {
  TunClient client(network, listener_.port);
  RawServerConnection server = server_.accept(listener_);
  const Timeline first = exchange(client, server, 0);
  // No acknowledgement: the server's kernel sends it again.
  EXPECT_EQ(client.receive().bytes, kNotFound);
  EXPECT_EQ(client.receive().bytes, kNotFound);
  client.acknowledge(size_of(kNotFound));
  const Timeline second = exchange(client, server, size_of(kGet));
  expect({.observed = {{"GET 404", 2}}});
  expect_times({first, second});
}

TEST_F(SegmentCase, ResponseThatEndsWithTheConnectionSentTwice) {
  TunClient client(network, listener_.port);
  RawServerConnection server = server_.accept(listener_);
  Timeline request;
  ++sent_otherwise_;
  request.arrival = during([&] { client.send(0, kGet); });
  const std::string response = "HTTP/1.0 200 OK\r\n\r\nbody";
  answer(server, kGet.size(), response, request);
  EXPECT_EQ(client.receive().bytes, response);
  EXPECT_EQ(client.receive().bytes, response);  // once more, but its last byte was out already
  client.acknowledge(size_of(response));
  server.close();
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});
}

TEST_F(SegmentCase, ResponseInManySegmentsOfWhichOneIsLost) {
  TunClient client(network, listener_.port);
  RawServerConnection server = server_.accept(listener_);
  Timeline request;
  ++sent_otherwise_;
  request.arrival = during([&] { client.send(0, kGet); });
  const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + std::string(3000, 'b');
  answer(server, kGet.size(), response, request);
  EXPECT_EQ(client.receive().at, 0U);
  // Until the first segment comes again.
  while (client.receive().at != 0) continue;
  client.acknowledge(size_of(response));
  const Timeline next = exchange(client, server, size_of(kGet));
  expect({.observed = {{"GET 200", 1}, {"GET 404", 1}}});
  expect_times({request, next});
}

TEST_F(SegmentCase, ClientThatHasVanished) {
  TunClient client(network, listener_.port);
  RawServerConnection server = server_.accept(listener_);
  expect_given_up(ask_for_more_than_it_gets(client, server));
}

TEST_F(SegmentCase, ClientThatCannotBeReached) {
  TunClient client(network, listener_.port);
  RawServerConnection server = server_.accept(listener_);
  const Timeline request = ask_for_more_than_it_gets(client, server);
  client.be_unreachable();  // which is what the kernel then gives up with
  expect_given_up(request);
}

TEST_F(SegmentCase, RequestBehindTheServersEnd) {
  TunClient client(network, listener_.port);
  RawServerConnection server = server_.accept(listener_);
  server.shutdown();
  EXPECT_TRUE(client.receive().fin);
  ++sent_otherwise_;
  client.send(0, kGet);
  // No acknowledgement: the server's kernel sends its end again.
  EXPECT_TRUE(client.receive().fin);
  expect({.unmatched = {{"server_closed", 1}}});
}

}  // namespace
}  // namespace manometer::test
