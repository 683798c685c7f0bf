// Requests that one of the two sides gives up, and connections that end in every other way.

#include "tests/bpf/clock.h"
#include "tests/bpf/request_case.h"

namespace manometer::test {
namespace {

const std::string kHalfOfABody = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf";
const std::string kUntilClose = "HTTP/1.0 200 OK\r\n\r\n";

class AbortCase : public RequestCase {
 protected:
  /// A request nobody has answered, whose first bytes were read.
  Timeline ask_and_read(Talk& talk) {
    Timeline request;
    request.arrival = talk.send({kGet});
    request.read = talk.read();
    return request;
  }
};

/// Times in which a step of the test, that gives no times itself, was taken.
template <typename F>
Between during(F step) {
  const uint64_t before = now_ns();
  step();
  return {before, now_ns()};
}

TEST_F(AbortCase, ClientClosesAndTheServerAnswersAnyway) {
  Talk& talk = connect();
  Timeline request = ask_and_read(talk);
  talk.client().close();
  const Step written = talk.server().write({kOk});
  request.first_byte = request.last_byte = first_of(written);
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, ClientClosesAndTheServerDoesNotAnswer) {
  Talk& talk = connect();
  const Timeline request = ask_and_read(talk);
  talk.client().close();
  expect({.in_flight = 1});
  talk.server().close();
  expect({.unmatched = {{"server_closed", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, ClientClosesWithinTheResponse) {
  Talk& talk = connect();
  Timeline request = ask_and_read(talk);
  const Step written = talk.server().write({kHalfOfABody});
  request.first_byte = first_of(written);
  talk.client().close();  // with something unread: an RST
  expect({.unmatched = {{"client_reset", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, ClientShutsItsHalfDown) {
  Talk& talk = connect();
  Timeline request;
  request.arrival = talk.send({kGet});
  talk.client().shutdown();
  talk.answer({kOk}, request);
  expect({.observed = {{"GET 200", 1}}});
  talk.server().close();
  expect_times({request});
}

TEST_F(AbortCase, ClientResetsBeforeTheRead) {
  Talk& talk = connect();
  Timeline request;
  request.arrival = talk.send({kGet});
  const Between reset = during([&] {
    talk.client().reset();
    expect({.unmatched = {{"client_reset", 1}}});
  });
  request.read = reset;  // it has waited until then
  expect_times({request});
}

TEST_F(AbortCase, ClientResetsAfterTheRead) {
  Talk& talk = connect();
  const Timeline request = ask_and_read(talk);
  talk.client().reset();
  expect({.unmatched = {{"client_reset", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, ClientResetsWithinALargeResponse) {
  Talk& talk = connect("127.0.0.1", 4096);
  Timeline request = ask_and_read(talk);
  request.first_byte = first_of(talk.server().write({"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n"}));
  talk.server().begin_fill(50'000'000);
  talk.client().receive(100'000);
  talk.client().reset();
  EXPECT_THROW(talk.server().finish(), std::system_error);
  expect({.unmatched = {{"client_reset", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, ClientResetsAmongPipelinedRequests) {
  Talk& talk = connect();
  std::vector<Timeline> requests(3);
  for (Timeline& request : requests) request.arrival = talk.send({kGet});
  requests[0].read = requests[1].read = talk.read(kGet.size() + 1);
  talk.write({kOk}, requests[0]);
  requests[2].read = during([&] {
    talk.client().reset();
    expect({.observed = {{"GET 200", 1}}, .unmatched = {{"client_reset", 2}}});
  });
  expect_times(requests);
}

TEST_F(AbortCase, ServerClosesWithoutAnAnswer) {
  Talk& talk = connect();
  const Timeline request = ask_and_read(talk);
  talk.server().close();
  expect({.unmatched = {{"server_closed", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, ServerClosesWithoutAReadOrAnAnswer) {
  Talk& talk = connect();
  Timeline request;
  request.arrival = talk.send({kGet});
  request.read = during([&] {
    talk.server().close();
    expect({.unmatched = {{"server_closed", 1}}});
  });
  expect_times({request});
}

TEST_F(AbortCase, ServerClosesWithinABody) {
  Talk& talk = connect();
  Timeline request = ask_and_read(talk);
  talk.write({kHalfOfABody}, request);
  request.last_byte.reset();
  talk.server().close();
  expect({.unmatched = {{"server_closed", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, ServerClosesWithinAHeader) {
  Talk& talk = connect();
  Timeline request = ask_and_read(talk);
  talk.write({"HTTP/1.1 200 OK\r\nContent-Length: 1"}, request);
  request.last_byte.reset();
  talk.server().close();
  expect({.unmatched = {{"server_closed", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, ServerShutsItsHalfDownWithoutAnAnswer) {
  Talk& talk = connect();
  const Timeline request = ask_and_read(talk);
  talk.server().shutdown();
  expect({.unmatched = {{"server_closed", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, ServerResets) {
  Talk& talk = connect();
  const Timeline request = ask_and_read(talk);
  talk.server().reset();
  expect({.unmatched = {{"server_closed", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, ServerResetsWithinABody) {
  Talk& talk = connect();
  Timeline request = ask_and_read(talk);
  talk.write({kHalfOfABody}, request);
  request.last_byte.reset();
  talk.server().reset();
  expect({.unmatched = {{"server_closed", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, ServerClosesAfterItsAnswer) {
  Talk& talk = connect();
  const Timeline request = talk.exchange({kGet}, {kOk});
  talk.server().close();
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, ClientLeavesWithinTheFirstLine) {
  Talk& talk = connect();
  talk.send_more({"GET / HTT"});
  talk.client().close();
  talk.server().close();
  expect({});
  expect_times({});
}

TEST_F(AbortCase, ClientLeavesWithinTheHeader) {
  Talk& talk = connect();
  talk.send({"GET / HTTP/1.1\r\nHost: a\r\nCoo"});
  expect({.in_flight = 1});
  talk.client().reset();
  expect({.unmatched = {{"client_reset", 1}}});
}

TEST_F(AbortCase, ServerGivesUpASlowRequest) {
  Talk& talk = connect();
  Timeline request;
  request.arrival = talk.send({"GET / HTTP/1.1\r\nHost: a\r\nCoo"});
  talk.answer({"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"}, request);
  expect({.observed = {{"GET 408", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, ServerTellsAnIdleClientThatItsTimeIsUp) {
  Talk& talk = connect();
  const Timeline request = talk.exchange({kGet}, {kOk});
  talk.write({"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"});
  talk.server().close();
  expect({.observed = {{"GET 200", 1}}, .no_request = 1});
  expect_times({request});
}

TEST_F(AbortCase, ServerTellsASilentClientThatItsTimeIsUp) {
  Talk& talk = connect();
  talk.write({"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"});
  expect({.no_request = 1});
  const Timeline request = talk.exchange({kGet}, {kOk});
  expect({.observed = {{"GET 200", 1}}, .no_request = 1});
  expect_times({request});
}

TEST_F(AbortCase, ServerAnswersWithoutARead) {
  Talk& talk = connect();
  Timeline request;
  request.arrival = talk.send({kGet});
  talk.write({kOk}, request);
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, EndsWithTheConnection) {
  Talk& talk = connect();
  const Timeline request = talk.exchange({"GET / HTTP/1.0\r\n\r\n"}, {kUntilClose, "body ", "body"});
  expect({.in_flight = 1});
  talk.server().close();
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});  // its last byte is that of the body, not the end of the connection
}

TEST_F(AbortCase, EndsWithTheConnectionAndIsOneSegment) {
  Talk& talk = connect();
  const Timeline request = talk.exchange({"GET / HTTP/1.0\r\n\r\n"}, {kUntilClose + "body"});
  talk.server().close();
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, EndsWithTheConnectionAndHasNoBody) {
  Talk& talk = connect();
  const Timeline request = talk.exchange({"GET / HTTP/1.0\r\n\r\n"}, {kUntilClose});
  talk.server().close();
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, EndsWithAHalfOfTheConnection) {
  Talk& talk = connect();
  const Timeline request = talk.exchange({"GET / HTTP/1.0\r\n\r\n"}, {kUntilClose + "body"});
  talk.server().shutdown();
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, EndsWithAResetWhereItsEndWouldTell) {
  Talk& talk = connect();
  Timeline request = talk.exchange({"GET / HTTP/1.0\r\n\r\n"}, {kUntilClose + "body"});
  request.last_byte.reset();
  talk.client().reset();
  expect({.unmatched = {{"client_reset", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, BrokenChunkOfAResponseEndsWithTheConnection) {
  Talk& talk = connect();
  const Timeline request =
      talk.exchange({kGet}, {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n", "0\r\n\r\n"});
  expect({.in_flight = 1});
  talk.server().close();
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});
}

TEST_F(AbortCase, BrokenChunkOfAResponseEndsWithTheNext) {
  Talk& talk = connect();
  const Timeline first = talk.exchange({kGet}, {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n"});
  const Timeline second = talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"GET 200", 1}, {"GET 404", 1}}});
  expect_times({first, second});
}

TEST_F(AbortCase, BrokenChunkOfARequest) {
  Talk& talk = connect();
  const Timeline first =
      talk.exchange({"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n"}, {kNotFound});
  const Timeline second = talk.exchange({kGet}, {kOk});
  expect({.observed = {{"POST 404", 1}, {"GET 200", 1}}});
  expect_times({first, second});
}

TEST_F(AbortCase, BrokenChunkOfARequestAndABodyThatLooksLikeRequests) {
  Talk& talk = connect();
  Timeline first;
  first.arrival = talk.send({"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n"});
  talk.send_more({"ab /0123456789", kGet});
  talk.answer({kNotFound}, first);
  expect({.observed = {{"POST 404", 1}}});
  const Timeline second = talk.exchange({kGet}, {kOk});
  expect({.observed = {{"POST 404", 1}, {"GET 200", 1}}});
  expect_times({first, second});
}

TEST_F(AbortCase, StatusWithoutAVersion) {
  const std::string response = "HTTP/1.\n 200 OK\r\n\r\n";
  for (const auto& segments : {std::vector<std::string>{response}, bytes_of(response)}) {
    Talk& talk = connect();
    talk.send({kGet});
    talk.answer(segments);
  }
  expect({.unmatched = {{"bad_response", 2}}});
}

TEST_F(AbortCase, BrokenLengths) {
  std::vector<Timeline> requests;
  for (const char* length : {"x", "-1", "+1", "1,1", "1 1", "1000000000000000", "0x10", ""}) {
    Talk& talk = connect();
    const std::string lines = std::string("Content-Length: ") + length + "\r\n\r\n";
    requests.push_back(talk.exchange({"POST / HTTP/1.1\r\n" + lines}, {"HTTP/1.1 400 Bad\r\n" + lines}));
    talk.server().close();
  }
  expect({.observed = {{"POST 400", requests.size()}}});
  expect_times(requests);
}

}  // namespace
}  // namespace manometer::test
