// The agent's HTTP server, asked by clients that behave and by clients that do not.

#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/http/client.h"
#include "tests/support/agent.h"
#include "tests/support/fake_node.h"
#include "tests/support/perf_data.h"
#include "tests/support/raw_client.h"

namespace manometer {
namespace {

using test::RawClient;
using testing::HasSubstr;
using testing::StartsWith;

// It keeps for a while what is freed.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kAddressSanitizer = true;
#else
constexpr bool kAddressSanitizer = false;
#endif

class ServerTest : public testing::Test {
 protected:
  ServerTest() : agent_((add_jvms(node_), arguments(node_))) {
    EXPECT_TRUE(test::eventually([&] { return agent_.get("/readyz") == "ready\n"; }));
  }

  static void add_jvms(test::FakeNode& node) {
    constexpr pid_t kJvms = 50;
    const auto region = test::PerfData::from_fixture("17-g1").build();
    for (pid_t pid = 100; pid < 100 + kJvms; ++pid) node.add_jvm({.pid = pid, .namespace_pid = pid}, region);
  }

  static std::vector<std::string> arguments(const test::FakeNode& node) {
    return {"--variant", "sidecar", "--host-proc", node.proc(), "--host-cgroup", node.proc()};
  }

  /// What the server answers to these bytes, until it closes.
  std::string answer_to(std::string_view bytes) const {
    const RawClient client(agent_.address());
    client.send(bytes);
    return client.receive();
  }

  double own(const std::string& metric) const { return *agent_.scrape().value(metric); }

  /// Expects that descriptors are back to what they were, and memory about so.
  void expect_as_before(double fds, double bytes) {
    EXPECT_TRUE(test::eventually([&] { return own("process_open_fds") <= fds; })) << own("process_open_fds");
    constexpr double kMegabyte = 1 << 20;
    const double allowed = kAddressSanitizer ? std::numeric_limits<double>::infinity() : 8 * kMegabyte;
    EXPECT_LT(own("process_resident_memory_bytes"), bytes + allowed);
  }

  test::FakeNode node_;
  test::Agent agent_;
};

TEST_F(ServerTest, AnswersWhatItHas) {
  EXPECT_EQ(agent_.get("/healthz"), "ok\n");
  EXPECT_THAT(agent_.get("/metrics"), HasSubstr("manometer_jvm_heap_max_bytes{"));
  EXPECT_THAT(agent_.get("/metrics?name=x"), HasSubstr("manometer_jvm_heap_max_bytes{"));
  EXPECT_EQ(http::get(agent_.address(), "/none", test::kPatience)->result_int(), 404U);
}

TEST_F(ServerTest, SpeaksTheFormatAskedFor) {
  const auto plain = http::get(agent_.address(), "/metrics", test::kPatience);
  EXPECT_EQ((*plain)["Content-Type"], "text/plain; version=0.0.4; charset=utf-8");
  const auto open = http::get(agent_.address(), "/metrics", test::kPatience,
                              {{"Accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}});
  EXPECT_EQ((*open)["Content-Type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_TRUE(open->body().ends_with("# EOF\n"));
  const auto compressed = http::get(agent_.address(), "/metrics", test::kPatience, {{"Accept-Encoding", "gzip"}});
  EXPECT_EQ((*compressed)["Content-Encoding"], "gzip");
  EXPECT_LT(compressed->body().size(), plain->body().size() / 4);
}

TEST_F(ServerTest, HeadTellsTheLengthAndSendsNoBody) {
  const std::string answer = answer_to("HEAD /healthz HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST_F(ServerTest, OtherMethodsAreToldWhatIsAllowed) {
  const std::string answer = answer_to("POST /metrics HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n"));
}

TEST_F(ServerTest, KeepsTheConnectionForTheNextRequest) {
  const RawClient client(agent_.address());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send("GET /healthz HTTP/1.1\r\n\r\n"));
    EXPECT_THAT(client.receive("ok\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
  }
  client.send("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_THAT(client.receive(), HasSubstr("ok\n")) << "HTTP/1.0 ends with its answer";
}

TEST_F(ServerTest, AnswersRequestsInOneSegmentInTheirOrder) {
  const std::string answer = answer_to(
      "GET /healthz HTTP/1.1\r\n\r\n"
      "GET /none HTTP/1.1\r\n\r\n"
      "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n");
  const size_t first = answer.find("200 OK");
  const size_t second = answer.find("404 Not Found");
  const size_t third = answer.rfind("200 OK");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
}

TEST_F(ServerTest, TakesARequestByteByByte) {
  const RawClient client(agent_.address());
  for (const char c : std::string_view("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")) client.send({&c, 1});
  EXPECT_THAT(client.receive(), HasSubstr("ok\n"));
}

TEST_F(ServerTest, RefusesWhatIsNoRequest) {
  EXPECT_THAT(answer_to("\x16\x03\x01\x02 this is TLS\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer_to("GET /metrics\r\n\r\n"), StartsWith("HTTP/1.1 400 ")) << "HTTP/0.9";
  EXPECT_THAT(answer_to("GET / HTTP/1.1\r\nX: " + std::string(1 << 20, 'x') + "\r\n\r\n"), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(answer_to("GET / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
}

TEST_F(ServerTest, IdleConnectionsDoNotKeepScrapesAway) {
  const double fds = own("process_open_fds");
  const double bytes = own("process_resident_memory_bytes");
  std::vector<RawClient> idle;
  constexpr int kConnections = 1000;
  for (int i = 0; i < kConnections; ++i) {
    idle.emplace_back(agent_.address());
    if (i % 2 == 0) idle.back().send("GET /metrics HTTP/1.1\r\nX-Slow: ");
    if (i % 100 != 0) continue;
    EXPECT_THAT(agent_.get("/metrics"), HasSubstr("manometer_build_info"));
  }
  EXPECT_TRUE(test::eventually([&] { return own("process_open_fds") < fds + 80; })) << "the longest idle make room";
  EXPECT_TRUE(test::eventually([&] { return own("manometer_scrape_connections_evicted_total") > kConnections / 2.0; }))
      << own("manometer_scrape_connections_evicted_total");
  idle.clear();
  expect_as_before(fds, bytes);
}

TEST_F(ServerTest, ClientsThatDoNotReadDoNotKeepScrapesAway) {
  const double fds = own("process_open_fds");
  const double bytes = own("process_resident_memory_bytes");
  std::vector<RawClient> deaf;
  constexpr int kClients = 100;
  for (int i = 0; i < kClients; ++i) {
    deaf.emplace_back(agent_.address());
    for (int request = 0; request < 200; ++request) deaf.back().send("GET /metrics HTTP/1.1\r\n\r\n");
    EXPECT_THAT(agent_.get("/metrics"), HasSubstr("manometer_build_info"));
  }
  EXPECT_TRUE(test::eventually([&] { return own("process_open_fds") < fds + 80; })) << "64 ask, 8 are answered";
  deaf.clear();
  expect_as_before(fds, bytes);
}

TEST_F(ServerTest, ResetsLeaveNothingBehind) {
  const double fds = own("process_open_fds");
  const double bytes = own("process_resident_memory_bytes");
  for (int i = 0; i < 500; ++i) {
    RawClient client(agent_.address());
    client.send("GET /metrics HTTP/1.1\r\n\r\n");
    client.reset();
  }
  expect_as_before(fds, bytes);
}

}  // namespace
}  // namespace manometer
