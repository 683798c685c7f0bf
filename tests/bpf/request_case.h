#pragma once

#include <deque>
#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/bpf/talk.h"
#include "tests/support/agent.h"

namespace manometer::test {

inline const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
inline const std::string kHead = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
inline const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
inline const std::string kNotFound = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

/// What the agent has counted of a process's requests.
struct Counted {
  std::map<std::string, uint64_t> observed = {};   // by method, code and route: "GET 200", "GET 200 /api/"
  std::map<std::string, uint64_t> unmatched = {};  // by reason; those that are not 0
  uint64_t in_flight = 0;
  uint64_t no_request = 0;

  uint64_t all() const;
  bool operator==(const Counted&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Counted& counted);

/// A watched server, and connections to it on which a test does one step after the other.
class RequestCase : public testing::Test {
 protected:
  static void TearDownTestSuite() { agent.reset(); }
  static void start_agent(const std::vector<std::string>& arguments = {});

  void SetUp() override;
  /// All that was sent is counted once, or is in flight; nothing is when all connections have ended.
  void TearDown() override;

  /// Until the agent watches what a server listens on.
  static void await_watched(const RawServer& server, const RawServer::Listener& listener);
  void await_watched() const { await_watched(server_, listener_); }
  /// Before 5.11 the agent marks a listener made later, so a moment later, and what comes with a handshake is not seen.
  static bool kernel_is_old();
  /// It is there until the end of the test.
  Talk& connect(const std::string& host = "127.0.0.1", int receive_buffer = 0);

  /// What the agent says now.
  Scraped scrape() const;
  double gauge(const std::string& name) const;
  Counted counted(const Scraped& scraped) const;
  /// The last of what was counted until this is true of it, or it does not come true.
  Counted counted_when(const std::function<bool(const Counted&)>& condition) const;
  /// That all is counted as expected, exactly.
  void expect(const Counted& expected) const;
  /// That the stages are those of these requests, and nothing else: their numbers, and sums between what the clocks
  /// say.
  void expect_times(const std::vector<Timeline>& requests) const;

  static LabelMap labels_of(const RawServer& server) { return {{"pid", std::to_string(server.pid())}}; }

  static std::unique_ptr<Agent> agent;

  RawServer server_;
  RawServer::Listener listener_ = server_.listen(RawServer::Family::kV4);
  std::deque<Talk> talks_;
  uint64_t sent_otherwise_ = 0;  // requests that no Talk sent
  uint64_t sent_before_ = 0;     // those that a Talk sent before the agent was there

 private:
  LabelMap labels() const { return labels_of(server_); }
  uint64_t sent() const;
};

}  // namespace manometer::test
