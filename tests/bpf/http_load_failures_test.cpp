// A load counts what went wrong, and goes on.

#include <future>

#include <gtest/gtest.h>

#include "tests/bpf/http_load.h"
#include "tests/bpf/raw_server.h"

namespace manometer::test {
namespace {

const std::string kResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class HttpLoadFailures : public testing::Test {
 protected:
  std::future<LoadResult> start(uint64_t count) {
    Load load;
    load.port = listener_.port;
    load.count = count;
    load.waits = Load::Waits::kSleep;
    return std::async(std::launch::async, [load] { return run_load(load); });
  }

  RawServerConnection accept_request() {
    RawServerConnection connection = server_.accept(listener_);
    connection.read_requests(1);
    return connection;
  }

  RawServer server_;
  RawServer::Listener listener_ = server_.listen();
};

TEST_F(HttpLoadFailures, OfConnectionsThatEndEarlyAreCounted) {
  auto running = start(4);
  accept_request().close();
  RawServerConnection partly = accept_request();
  partly.write({kResponse.substr(0, kResponse.size() - 1)});
  partly.close();
  accept_request().reset();
  accept_request().write({kResponse});
  const LoadResult result = running.get();
  EXPECT_EQ(result.sent, 4U);
  EXPECT_EQ(result.failed, 3U);
  EXPECT_EQ(result.answered, 1U);
  EXPECT_EQ(result.duration.count(), 1U);
  EXPECT_EQ(result.connections_opened, 4U);
}

TEST_F(HttpLoadFailures, AreNotWhatEndsWithItsConnection) {
  auto running = start(1);
  RawServerConnection connection = accept_request();
  connection.write({"HTTP/1.1 200 OK\r\n\r\n", "all of it"});
  connection.close();
  const LoadResult result = running.get();
  EXPECT_EQ(result.answered, 1U);
  EXPECT_EQ(result.failed, 0U);
}

TEST_F(HttpLoadFailures, ConnectionsAnnouncedToCloseAreNotUsedAgain) {
  auto running = start(2);
  RawServerConnection first = accept_request();
  first.write({"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"});
  accept_request().write({kResponse});
  const LoadResult result = running.get();
  EXPECT_EQ(result.answered, 2U);
  EXPECT_EQ(result.connections_opened, 2U);
  EXPECT_EQ(first.read(1).value, 0) << "it is closed by the client";
}

TEST_F(HttpLoadFailures, ADurationIsTheRequestsOwn) {
  auto running = start(1);
  RawServerConnection connection = server_.accept(listener_);
  const Step read = connection.read_requests(1);
  const Step first = connection.write({kResponse.substr(0, 10)});
  const Step last = connection.write({kResponse.substr(10)});
  const LoadResult result = running.get();
  // From before it could be read to after its last byte left.
  EXPECT_GE(result.duration.sum_ns(), last.first_before_ns - read.first_before_ns);
  EXPECT_GT(last.first_before_ns, first.first_after_ns);
}

}  // namespace
}  // namespace manometer::test
