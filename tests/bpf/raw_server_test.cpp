// The remote-controlled server does to its sockets exactly what the test says, when it says so.

#include "tests/bpf/raw_server.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <gtest/gtest.h>

#include "tests/bpf/raw_connection.h"
#include "tests/support/skip.h"
#include "tests/support/temp_dir.h"

namespace manometer::test {
namespace {

const std::string kRequest = "GET / HTTP/1.1\r\n\r\n";
const std::string kResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The errno of what a step throws; 0 if it throws nothing.
template <typename F>
int error_of(F step) {
  try {
    step();
    return 0;
  } catch (const std::system_error& error) {
    return error.code().value();
  }
}

void expect_in_order(const std::vector<uint64_t>& times) {
  EXPECT_TRUE(std::ranges::is_sorted(times)) << testing::PrintToString(times);
}

class RawServerTest : public testing::Test {
 protected:
  int64_t size_of(const std::string& bytes) { return static_cast<int64_t>(bytes.size()); }

  RawServer server_;
  RawServer::Listener listener_ = server_.listen();
  RawConnection client_{listener_.port};
  RawServerConnection connection_ = server_.accept(listener_);
};

TEST_F(RawServerTest, TellsTheTimesAroundEachStep) {
  const SendTimes sent = client_.send(kRequest);
  const Step read = connection_.read(kRequest.size());
  const Step written = connection_.write({kResponse});
  const Received received = client_.receive(kResponse.size());
  EXPECT_EQ(received.bytes, kResponse);
  EXPECT_EQ(read.value, size_of(kRequest));
  EXPECT_EQ(written.value, size_of(kResponse));
  expect_in_order(
      {sent.before_ns, read.first_before_ns, read.first_after_ns, written.first_before_ns, written.first_after_ns});
  expect_in_order({sent.after_ns, read.last_after_ns});
  expect_in_order({written.last_before_ns, received.first_ns, received.last_ns});
}

TEST_F(RawServerTest, ReadsWhenThereIsSomethingToRead) {
  connection_.begin_read(kRequest.size());
  const SendTimes sent = client_.send(kRequest);
  const Step read = connection_.finish();
  EXPECT_EQ(read.value, size_of(kRequest));
  expect_in_order({sent.before_ns, read.first_before_ns, read.first_after_ns});
}

TEST_F(RawServerTest, IsWaitingInRecvWhenItIsToldSo) {
  connection_.begin_recv(kRequest.size());
  const SendTimes sent = client_.send(kRequest);
  const Step waited = connection_.finish();
  EXPECT_EQ(waited.value, size_of(kRequest));
  expect_in_order({waited.first_before_ns, sent.before_ns, waited.first_after_ns});
}

TEST_F(RawServerTest, ReadsNoMoreThanItIsTold) {
  client_.send(kRequest);
  EXPECT_EQ(connection_.await(kRequest.size()).value, size_of(kRequest));
  EXPECT_EQ(connection_.peek(100).value, size_of(kRequest));
  EXPECT_EQ(connection_.read(5).value, 5);
  EXPECT_EQ(connection_.await(1).value, size_of(kRequest) - 5);
}

TEST_F(RawServerTest, ReadsUntilSoManyRequestsHaveCome) {
  client_.send(kRequest + kRequest.substr(0, 4));
  EXPECT_EQ(connection_.read_requests(1).value, size_of(kRequest) + 4);
  client_.send(kRequest.substr(4) + kRequest);
  EXPECT_EQ(connection_.read_requests(2).value, 2 * size_of(kRequest) - 4);
}

TEST_F(RawServerTest, SendsEachSegmentByItself) {
  const Step written = connection_.write({"HTTP/1.1 200 OK\r\n", std::string("\0\r\xff", 3), "x"});
  EXPECT_EQ(written.value, 21);
  EXPECT_LE(written.first_after_ns, written.last_before_ns);
  EXPECT_EQ(client_.receive(21).bytes, std::string("HTTP/1.1 200 OK\r\n\0\r\xffx", 21));
  EXPECT_EQ(client_.segments_received(), 3U);
}

TEST_F(RawServerTest, SendsSegmentsBeforeTheOnesBeforeAreAcknowledged) {
  // By then the client no longer acknowledges each segment at once, as it does at the start of a connection.
  constexpr uint32_t kStart = 30;
  for (uint32_t i = 0; i < kStart; i++) {
    connection_.write({"x"});
    client_.receive(1);
  }
  EXPECT_EQ(client_.segments_received(), kStart);
  connection_.write({"a", "b", "c", "d"});
  EXPECT_EQ(client_.receive(4).bytes, "abcd");
  EXPECT_EQ(client_.segments_received(), kStart + 4);
}

TEST_F(RawServerTest, SendsFilesAndFillings) {
  const TempDir directory;
  directory.write("body", "from a file");
  EXPECT_EQ(connection_.sendfile(directory.path() / "body", 6).value, 6);
  EXPECT_EQ(client_.receive(6).bytes, "from a");
  EXPECT_EQ(error_of([&] { connection_.sendfile(directory.path() / "none", 6); }), ENOENT);
  EXPECT_EQ(connection_.fill(100'000).value, 100'000);
  EXPECT_EQ(client_.receive(100'000).bytes, std::string(100'000, 'x'));
}

TEST_F(RawServerTest, ReadsAndWritesByIoUring) {
  if (!server_.has_io_uring()) MANOMETER_SKIP("this kernel lets nobody use io_uring: set kernel.io_uring_disabled=0");
  const SendTimes sent = client_.send(kRequest);
  const Step read = connection_.uring_read(kRequest.size());
  EXPECT_EQ(read.value, size_of(kRequest));
  expect_in_order({sent.before_ns, read.first_before_ns, read.first_after_ns});
  EXPECT_EQ(connection_.uring_write({"HTTP/1.1 ", "200 OK"}).value, 15);
  EXPECT_EQ(client_.receive(15).bytes, "HTTP/1.1 200 OK");
  EXPECT_EQ(client_.segments_received(), 2U);
  connection_.begin_uring_recv(100);
  client_.send(kRequest);
  EXPECT_EQ(connection_.finish().value, size_of(kRequest));
}

TEST_F(RawServerTest, ShutsDownItsHalfOnly) {
  connection_.write({"bye"});
  connection_.shutdown();
  EXPECT_EQ(client_.receive_all().bytes, "bye");
  client_.send(kRequest);
  EXPECT_EQ(connection_.read(kRequest.size()).value, size_of(kRequest));
}

TEST_F(RawServerTest, SeesAClientShutDownItsHalf) {
  client_.send(kRequest);
  client_.shutdown();
  EXPECT_EQ(connection_.read(1000).value, size_of(kRequest));
  connection_.write({kResponse});
  connection_.close();
  EXPECT_EQ(client_.receive_all().bytes, kResponse);
}

TEST_F(RawServerTest, ResetsAndIsReset) {
  connection_.reset();
  EXPECT_EQ(error_of([&] { client_.receive_all(); }), ECONNRESET);
  RawConnection other(listener_.port);
  RawServerConnection its = server_.accept(listener_);
  other.reset();
  EXPECT_EQ(error_of([&] { its.read(1); }), ECONNRESET);
}

TEST_F(RawServerTest, LetsConnectionsWaitToBeAccepted) {
  const RawConnection waiting(listener_.port);
  const SendTimes sent = waiting.send(kRequest);
  RawServerConnection late = server_.accept(listener_);
  const Step read = late.read(kRequest.size());
  expect_in_order({sent.after_ns, read.first_before_ns});
}

TEST_F(RawServerTest, ListensNoMoreWhenClosed) {
  server_.close(listener_);
  EXPECT_EQ(error_of([&] { RawConnection{listener_.port}; }), ECONNREFUSED);
}

TEST(RawServerFamilies, TakeTheirOwnAndDualTakesBoth) {
  RawServer server;
  const auto v6 = server.listen(RawServer::Family::kV6);
  const auto dual = server.listen(RawServer::Family::kDual);
  EXPECT_EQ(error_of([&] { RawConnection{v6.port}; }), ECONNREFUSED);
  for (const auto& [port, host, listener] :
       {std::tuple{v6.port, "::1", v6}, {dual.port, "::1", dual}, {dual.port, "127.0.0.1", dual}}) {
    const RawConnection client(port, host);
    RawServerConnection connection = server.accept(listener);
    connection.write({host});
    EXPECT_EQ(client.receive(std::string(host).size()).bytes, host);
  }
}

TEST(RawConnection, HoldsTheServerUpWithASmallBuffer) {
  RawServer server;
  const auto listener = server.listen();
  const RawConnection client(listener.port, "127.0.0.1", 4096);
  RawServerConnection connection = server.accept(listener);
  constexpr size_t kMuch = 50'000'000;  // more than all buffers hold
  connection.begin_fill(kMuch);
  EXPECT_EQ(client.receive(kMuch).bytes.size(), kMuch);
  EXPECT_EQ(connection.finish().value, static_cast<int64_t>(kMuch));
}

}  // namespace
}  // namespace manometer::test
