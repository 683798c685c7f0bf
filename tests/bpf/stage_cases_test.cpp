// What counts as the first read, the first byte and the last one, and what is shown while they have not come.

#include <fcntl.h>

#include "tests/bpf/clock.h"
#include "tests/bpf/request_case.h"
#include "tests/support/skip.h"
#include "tests/support/temp_dir.h"

namespace manometer::test {
namespace {

constexpr size_t kMegabytes = 4'000'000;  // more than the buffers of the slow client's connection hold
constexpr int kSmallBuffer = 4096;
const std::string kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string header_of(size_t length) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
}

class StageCase : public RequestCase {
 protected:
  double oldest_unread() const { return gauge("oldest_unread_seconds"); }
};

TEST_F(StageCase, APeekIsNoRead) {
  Talk& talk = connect();
  Timeline request;
  request.arrival = talk.send({kGet});
  EXPECT_EQ(talk.server().peek(1000).value, static_cast<int64_t>(kGet.size()));
  EXPECT_GT(oldest_unread(), 0);
  talk.answer({kOk}, request);
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});
}

TEST_F(StageCase, ReadOfAPart) {
  Talk& talk = connect();
  Timeline request;
  request.arrival = talk.send({kGet});
  request.read = talk.read(1);
  EXPECT_EQ(oldest_unread(), 0);
  talk.read();
  talk.write({kOk}, request);
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});
}

TEST_F(StageCase, ReadBeforeAllHasCome) {
  Talk& talk = connect();
  Timeline request;
  request.arrival = talk.send({kGet.substr(0, 20)});
  // The method is in the first segment, its line's end in the second: it is a request only then.
  const Between too_early = talk.read();
  EXPECT_GT(too_early.low_ns, 0U);
  talk.send_more({kGet.substr(20)});
  talk.answer({kOk}, request);
  expect({.observed = {{"GET 200", 1}}});
}

TEST_F(StageCase, ReaderThatWaits) {
  Talk& talk = connect();
  talk.server().begin_recv(1000);
  Timeline request;
  ++sent_otherwise_;
  const SendTimes sent = talk.client().send(kGet);
  const Step read = talk.server().finish();
  request.arrival = {sent.before_ns, read.first_after_ns};
  request.read = {sent.before_ns, read.first_after_ns};
  talk.write({kOk}, request);
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});
}

TEST_F(StageCase, IoUring) {
  if (!server_.has_io_uring())
    MANOMETER_SKIP("this kernel has no io_uring, or it is turned off (kernel.io_uring_disabled)");
  Talk& talk = connect();
  std::vector<Timeline> requests(2);
  sent_otherwise_ = 2;
  for (Timeline& request : requests) {
    const bool waits = &request == &requests[1];
    if (waits) talk.server().begin_uring_recv(1000);
    const SendTimes sent = talk.client().send(kGet);
    if (!waits) talk.server().await(kGet.size());
    const uint64_t arrived = now_ns();
    const Step read = waits ? talk.server().finish() : talk.server().uring_read(1000);
    request.arrival = {sent.before_ns, waits ? read.first_after_ns : arrived};
    request.read = waits ? Between{sent.before_ns, read.first_after_ns} : first_of(read);
    const Step written = talk.server().uring_write({header_of(2), "o", "k"});
    request.first_byte = first_of(written);
    request.last_byte = last_of(written);
    talk.client().receive(static_cast<size_t>(written.value));
  }
  expect({.observed = {{"GET 200", 2}}});
  expect_times(requests);
}

TEST_F(StageCase, WaitsToBeAccepted) {
  // In the backlog: nobody has accepted it.
  const RawConnection client(listener_.port);
  const SendTimes sent = client.send(kGet);
  ++sent_otherwise_;
  expect({.in_flight = 1});
  EXPECT_GT(oldest_unread(), 0);
  RawServerConnection connection = server_.accept(listener_);
  connection.await(kGet.size());
  Timeline request;
  request.arrival = {sent.before_ns, now_ns()};
  request.read = first_of(connection.read(kGet.size()));
  const Step written = connection.write({kOk});
  request.first_byte = request.last_byte = first_of(written);
  expect({.observed = {{"GET 200", 1}}});
  EXPECT_EQ(oldest_unread(), 0);
  expect_times({request});
}

TEST_F(StageCase, AgeOfTheOldestUnread) {
  EXPECT_EQ(oldest_unread(), 0);
  Talk& first = connect();
  const Between old = first.send({kGet});
  Talk& second = connect();
  const Between young = second.send({kGet});
  for (const Between& arrival : {old, young}) {
    const uint64_t before = now_ns();
    const double age_ns = oldest_unread() * 1e9;
    const uint64_t after = now_ns();
    EXPECT_GE(age_ns + 1, static_cast<double>(before - arrival.high_ns));
    EXPECT_LE(age_ns - 1, static_cast<double>(after - arrival.low_ns));
    if (arrival.low_ns == old.low_ns) first.read();
  }
  second.read();
  EXPECT_EQ(oldest_unread(), 0);
  expect({.in_flight = 2});
}

/// A request that comes in many pieces, each read before the next comes.
TEST_F(StageCase, SlowUpload) {
  constexpr int kPieces = 60;
  const std::string piece(50'000, 'b');
  Talk& talk = connect();
  Timeline request;
  const auto length = std::to_string(kPieces * piece.size());
  request.arrival = talk.send({"POST / HTTP/1.1\r\nContent-Length: " + length + "\r\n\r\n"});
  request.read = talk.read();
  for (int i = 0; i < kPieces; i++) {
    talk.send_more({piece});
    talk.read();
  }
  talk.write({kOk}, request);
  expect({.observed = {{"POST 200", 1}}});
  const Timeline next = talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"POST 200", 1}, {"GET 404", 1}}});
  expect_times({request, next});
}

TEST_F(StageCase, HeaderLineOf1Mb) {
  Talk& talk = connect();
  Timeline request;
  request.arrival = talk.send({"GET / HTTP/1.1\r\nX: "});
  request.read = talk.read();
  for (int i = 0; i < 100; i++) {
    talk.send_more({std::string(10'000, 'x')});
    talk.read();
  }
  talk.send_more({"\r\nX: 1\r\n\r\n"});
  talk.read();
  talk.write({kOk}, request);
  const Timeline next = talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"GET 200", 1}, {"GET 404", 1}}});
  expect_times({request, next});
}

TEST_F(StageCase, ContinueIsNoFirstByte) {
  Talk& talk = connect();
  Timeline request;
  request.arrival = talk.send({kGet});
  request.read = talk.read();
  talk.write({kContinue});
  talk.write({kOk}, request);
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});
}

TEST_F(StageCase, FirstByteOfAResponseInPieces) {
  Talk& talk = connect();
  Timeline request = talk.exchange({kGet}, {"HTTP/1.1 200 OK\r\nContent-", "Length: 4\r\n\r\n", "bo", "dy"});
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});
}

TEST_F(StageCase, ReadAfterTheResponseHasBegun) {
  Talk& talk = connect();
  talk.send({kGet});
  talk.write({"HTTP/1.1 "});
  talk.read();
  talk.write({"200 OK\r\nContent-Length: 0\r\n\r\n"});
  expect({.observed = {{"GET 200", 1}}});
  const Scraped scraped = scrape();
  EXPECT_EQ(scraped.value("manometer_http_request_processing_seconds_count", labels_of(server_)), 1);
  EXPECT_EQ(scraped.value("manometer_http_request_processing_seconds_sum", labels_of(server_)), 0);
}

TEST_F(StageCase, LargeResponseToASlowClient) {
  Talk& talk = connect("127.0.0.1", kSmallBuffer);
  Timeline request;
  request.arrival = talk.send({kGet});
  request.read = talk.read();
  const std::string header = header_of(kMegabytes);
  request.first_byte = first_of(talk.server().write({header}));
  talk.server().begin_fill(kMegabytes);
  // All but the last bytes: which leave only when these have been received.
  talk.client().receive(header.size() + kMegabytes / 2);
  const uint64_t half = now_ns();
  expect({.in_flight = 1});
  talk.client().receive(kMegabytes - kMegabytes / 2);
  request.last_byte = {half, now_ns()};
  talk.server().finish();
  expect({.observed = {{"GET 200", 1}}});
  expect_times({request});
}

TEST_F(StageCase, LargeResponseAtOnce) {
  // More than one segment offload takes: seen by the programs in pieces of up to 64 KB and more.
  Talk& talk = connect();
  Timeline request;
  request.arrival = talk.send({kGet});
  request.read = talk.read();
  const std::string header = header_of(kMegabytes);
  const Step first = talk.server().write({header});
  talk.server().begin_fill(kMegabytes);
  const Received received = talk.client().receive(header.size() + kMegabytes);
  const Step filled = talk.server().finish();
  request.first_byte = first_of(first);
  request.last_byte = {filled.first_before_ns, received.last_ns};
  expect({.observed = {{"GET 200", 1}}});
  const Timeline next = talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"GET 200", 1}, {"GET 404", 1}}});
  expect_times({request, next});
}

TEST_F(StageCase, Sendfile) {
  constexpr size_t kSize = 1'000'000;
  const TempDir directory;
  directory.write("file", std::string(kSize, 'f'));
  Talk& talk = connect();
  Timeline request;
  request.arrival = talk.send({kGet});
  request.read = talk.read();
  const std::string header = header_of(kSize);
  request.first_byte = first_of(talk.server().write({header}));
  const Step sent = talk.server().sendfile(directory.path() / "file", kSize);
  const Received received = talk.client().receive(header.size() + kSize);
  request.last_byte = {sent.first_before_ns, std::max(received.last_ns, sent.last_after_ns)};
  expect({.observed = {{"GET 200", 1}}});
  const Timeline next = talk.exchange({kHead}, {kNotFound});
  expect({.observed = {{"GET 200", 1}, {"HEAD 404", 1}}});
  expect_times({request, next});
}

}  // namespace
}  // namespace manometer::test
