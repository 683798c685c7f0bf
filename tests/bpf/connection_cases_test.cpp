// Connections of every kind, and such as are older than the agent.

#include "tests/bpf/clock.h"
#include "tests/bpf/request_case.h"

namespace manometer::test {
namespace {

constexpr uint64_t kTicksNs = 20'000'000;  // two ticks of the slowest kernel

class ConnectionCase : public RequestCase {
 protected:
  void expect_one_exchange(Talk& talk) {
    const Timeline request = talk.exchange({kGet}, {kOk});
    expect({.observed = {{"GET 200", 1}}});
    expect_times({request});
  }
};

TEST_F(ConnectionCase, V6) {
  listener_ = server_.listen(RawServer::Family::kV6);
  await_watched();
  expect_one_exchange(connect("::1"));
}

TEST_F(ConnectionCase, V6ToADualListener) {
  listener_ = server_.listen(RawServer::Family::kDual);
  await_watched();
  expect_one_exchange(connect("::1"));
}

TEST_F(ConnectionCase, V4ToADualListener) {
  listener_ = server_.listen(RawServer::Family::kDual);
  await_watched();
  expect_one_exchange(connect());
}

TEST_F(ConnectionCase, ListenerMadeLater) {
  listener_ = server_.listen();
  if (kernel_is_old()) await_watched();
  expect_one_exchange(connect());
}

TEST_F(ConnectionCase, SeveralAtOnce) {
  std::vector<Timeline> requests(10);
  for (Timeline& request : requests) request.arrival = connect().send({kGet});
  expect({.in_flight = 10});
  for (size_t i = 0; i < requests.size(); i++) talks_[i].answer({i % 2 == 0 ? kOk : kNotFound}, requests[i]);
  expect({.observed = {{"GET 200", 5}, {"GET 404", 5}}});
  expect_times(requests);
}

TEST_F(ConnectionCase, ListenerClosed) {
  Talk& talk = connect();
  server_.close(listener_);
  expect_one_exchange(talk);
}

TEST_F(ConnectionCase, WithoutARequest) {
  connect().client().close();
  connect().server().close();
  connect().client().reset();
  connect().server().reset();
  connect().client().shutdown();
  expect({});
  expect_times({});
}

/// Its connections may live longer: here one that has much to send to a client that does not read.
TEST_F(ConnectionCase, OfAProcessThatIsGone) {
  auto gone = std::make_unique<RawServer>();
  const auto listener = gone->listen();
  await_watched(*gone, listener);
  const LabelMap labels = labels_of(*gone);
  const auto in_flight = [](const Scraped& now, const LabelMap& of) {
    return now.value("manometer_http_requests_in_flight", of);
  };
  const RawConnection client(listener.port, "127.0.0.1", 4096);
  RawServerConnection connection = gone->accept(listener);
  client.send(kGet);
  connection.read(kGet.size());
  connection.write({"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n"});
  connection.begin_fill(50'000'000);
  client.receive(100'000);
  // Closed before the agent knows of the end, or not.
  const auto ended = [](const Scraped& now) {
    return now.value("manometer_http_ended_unmatched_total", {{"reason", "process_ended"}}).value_or(0) +
           now.value("manometer_http_ended_unmatched_total", {{"reason", "server_closed"}}).value_or(0);
  };
  const Scraped before = scrape();
  EXPECT_EQ(in_flight(before, labels), 1);
  gone.reset();
  const Scraped after = agent->scrape_until([&](const Scraped& now) { return !in_flight(now, labels); });
  EXPECT_GE(ended(after), ended(before) + 1) << "at the latest when its own series have left";
  RawServer next;  // takes its place in the agent's maps
  const auto listener_of_next = next.listen();
  await_watched(next, listener_of_next);
  const RawConnection other(listener_of_next.port);
  other.send(kGet);
  EXPECT_EQ(in_flight(scrape(), labels_of(next)), 1);
  EXPECT_EQ(scrape().value("manometer_http_connections", labels_of(next)), 1);
}

/// Here the agent comes when the connection is there.
class OlderConnectionCase : public RequestCase {
 protected:
  void SetUp() override { agent.reset(); }
  /// An exchange before there was an agent. What the kernel remembers of it is the millisecond of the last segment in
  /// each direction: of a response in that of its request, it would not be known that it came after it.
  void exchange_before(Talk& talk, const std::string& response) {
    talk.send({kGet});
    talk.read();
    ++sent_before_;
    const uint64_t now = now_ns();
    eventually([&] { return now_ns() > now + kTicksNs; });
    talk.write({response});
  }
  void meet_agent() {
    start_agent();
    await_watched();
    // The mark of a connection comes after that of the listener.
    agent->scrape_until([&](const Scraped& now) {
      return now.sum("manometer_http_connections", {{"pid", std::to_string(server_.pid())}}) > 0;
    });
  }
};

TEST_F(OlderConnectionCase, NeverUsed) {
  Talk& talk = connect();
  meet_agent();
  const Timeline request = talk.exchange({kGet}, {kOk});
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});
}

TEST_F(OlderConnectionCase, Idle) {
  Talk& talk = connect();
  exchange_before(talk, kOk);
  meet_agent();
  const Timeline request = talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"GET 404", 1}}});
  expect_times({request});
}

TEST_F(OlderConnectionCase, WithARequestUnread) {
  Talk& talk = connect();
  sent_before_ = 1;
  talk.send({kGet});
  meet_agent();
  talk.answer({kOk});
  expect({});
  const Timeline request = talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"GET 404", 1}}});
  expect_times({request});
}

TEST_F(OlderConnectionCase, WithARequestRead) {
  Talk& talk = connect();
  sent_before_ = 1;
  talk.send({kGet});
  talk.read();
  meet_agent();
  talk.write({kOk});
  expect({});
  const Timeline request = talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"GET 404", 1}}});
  expect_times({request});
}

TEST_F(OlderConnectionCase, WithHalfAResponseOut) {
  Talk& talk = connect();
  exchange_before(talk, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
  meet_agent();
  talk.write({"world"});
  expect({});
  const Timeline request = talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"GET 404", 1}}});
  expect_times({request});
}

TEST_F(OlderConnectionCase, WithHalfARequestHere) {
  Talk& talk = connect();
  sent_before_ = 1;
  talk.send({"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhello"});
  meet_agent();
  talk.send_more({"world"});
  talk.answer({kOk});
  expect({});
  const Timeline request = talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"GET 404", 1}}});
  expect_times({request});
}

TEST_F(OlderConnectionCase, WithPipelinedRequestsUnread) {
  Talk& talk = connect();
  sent_before_ = 2;
  talk.send({kGet, kGet}, 2);
  meet_agent();
  talk.send({kGet});
  talk.answer({kOk, kOk, kOk});
  expect({.unmatched = {{"before_agent", 1}}, .no_request = 2});
  const Timeline request = talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"GET 404", 1}}, .unmatched = {{"before_agent", 1}}, .no_request = 2});
  expect_times({request});
}

TEST_F(OlderConnectionCase, InTheBacklog) {
  const RawConnection client(listener_.port);
  client.send(kGet);
  start_agent();
  await_watched();
  RawServerConnection connection = server_.accept(listener_);
  connection.read(kGet.size());
  connection.write({kOk});
  client.receive(kOk.size());
  expect({});
}

TEST_F(OlderConnectionCase, AnAgentThatWasKilledComesBack) {
  start_agent();
  await_watched();
  Talk& talk = connect();
  exchange_before(talk, kOk);
  expect({.observed = {{"GET 200", 1}}});
  agent->child().signal(SIGKILL);
  agent->child().wait();
  agent.reset();
  meet_agent();
  const Timeline request = talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"GET 404", 1}}});
  expect_times({request});
}

TEST(NewListener, IsKnownWithoutAScan) {
  RawServer server;
  server.listen();
  const Agent agent({"--watch", "exe:*/raw_http_server", "--scan-interval", "3600s"});
  const std::string pid = std::to_string(server.pid());
  agent.scrape_until([&](const Scraped& now) { return now.value("manometer_http_connections", {{"pid", pid}}) == 0; });
  const auto later = server.listen();
  const LabelMap with_port{{"pid", pid}, {"port", std::to_string(later.port)}};
  const auto is_known = [&] {
    return agent.scrape().value("manometer_http_accept_queue_limit", with_port).has_value();
  };
  EXPECT_TRUE(eventually(is_known));
  Talk talk(server, later);
  talk.exchange({kGet}, {kOk});
  const auto count = [&](const Scraped& now) {
    return now.sum("manometer_http_request_duration_seconds_count", {{"pid", pid}});
  };
  EXPECT_EQ(count(agent.scrape_until([&](const Scraped& now) { return count(now) >= 1; })), 1);
}

}  // namespace
}  // namespace manometer::test
