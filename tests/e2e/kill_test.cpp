// The agent is killed at any moment: nothing of it stays in the kernel, no client notices, and the next agent measures.

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/bpf/effort.h"
#include "tests/bpf/http_load.h"
#include "tests/bpf/random_http.h"
#include "tests/bpf/raw_connection.h"
#include "tests/bpf/raw_server.h"
#include "tests/bpf/unified_cgroup.h"
#include "tests/support/agent.h"
#include "tests/support/bpf_objects.h"
#include "tests/support/raw_client.h"

namespace manometer::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

using Names = std::set<std::string>;

const Names kPrograms{"direct_begin", "direct_end",   "memcg_begin",   "memcg_end",    "compact_begin", "compact_end",
                      "mark_victim",  "victim_exit",  "process_exec",  "process_exit", "request_in",    "request_early",
                      "request_out",  "request_read", "request_state", "request_scan"};
// Of the kernel, which cuts them.
const Names kGcAtOnce{"gc_any"};
const Names kGcOneByOne{"gc_stall_begin",  "gc_stall_end", "gc_stall_none", "gc_safepoint_be",
                        "gc_safepoint_en", "gc_collects",  "gc_block",      "gc_block_if",
                        "gc_unblock",      "gc_abreast",   "gc_pool_end"};

Names operator+(Names names, const Names& more) {
  names.insert(more.begin(), more.end());
  return names;
}
const std::string kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// A server in a cgroup of its own, under load from before the first agent until after the last one.
class Kill : public testing::Test {
 protected:
  Kill() {
    load_.port = static_cast<uint16_t>(std::stoi(server_.read_line().value()));
    load_.connections = 16;
    load_.rate = 500;
    load_.waits = Load::Waits::kSleep;
    load_.until = [this](const LoadResult&) { return done_.load(); };
  }

  std::vector<std::string> arguments() const { return {"--watch", "cgroup:*/" + cgroup_.name()}; }
  double measured(const Agent& agent) const {
    return agent.scrape().sum("manometer_http_request_duration_seconds_count",
                              {{"pid", std::to_string(server_.pid())}});
  }
  void await_measured(const Agent& agent) const {
    ASSERT_TRUE(eventually([&] { return measured(agent) > 0; })) << "the agent measures nothing";
  }
  void wait_up_to(microseconds longest) {
    std::this_thread::sleep_for(microseconds(random_.number(static_cast<uint64_t>(longest.count()) + 1)));
  }

  void kill(Child& agent) const {
    agent.signal(SIGKILL);
    EXPECT_EQ(agent.wait(), 128 + SIGKILL);
    EXPECT_TRUE(eventually([&] { return cgroup_.attached() == 0; }));
    EXPECT_TRUE(eventually([&] { return without_holder(kPrograms + kGcAtOnce + kGcOneByOne).empty(); }));
  }
  void kill_while_it_starts(microseconds start) {
    std::vector<std::string> command{agent_binary(), "run", "--listen", "127.0.0.1:0"};
    const auto more = arguments();
    command.insert(command.end(), more.begin(), more.end());
    Child agent(command);
    wait_up_to(start);
    kill(agent);
  }
  void kill_under_traffic() {
    Agent agent(arguments());
    await_measured(agent);
    wait_up_to(std::chrono::milliseconds(20));
    kill(agent.child());
  }
  void kill_while_it_answers() {
    Agent agent(arguments());
    await_measured(agent);
    const RawClient scraper(agent.address());
    EXPECT_TRUE(scraper.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"));
    wait_up_to(std::chrono::milliseconds(3));
    kill(agent.child());
  }

  Random random_;
  UnifiedCgroup cgroup_{"kill"};
  Child server_{cgroup_.inside({MANOMETER_FAST_HTTP_SERVER})};
  Load load_;
  std::atomic<bool> done_ = false;
};

TEST_F(Kill, LeavesNothingBehindAndHurtsNobody) {
  LoadResult clients;
  std::jthread client([&] { clients = run_load(load_); });
  const auto begin = Clock::now();
  {
    Agent first(arguments());
    await_measured(first);
    EXPECT_EQ(cgroup_.attached(), 2U);
    EXPECT_THAT(program_names(held_by(first.pid())), testing::AnyOf(kPrograms + kGcAtOnce, kPrograms + kGcOneByOne));
    kill(first.child());
  }
  const auto start = std::chrono::duration_cast<microseconds>(Clock::now() - begin);
  for (size_t round = effort(8, 3); round > 0; --round) kill_while_it_starts(start);
  for (size_t round = effort(6, 1); round > 0; --round) kill_under_traffic();
  for (size_t round = effort(6, 1); round > 0; --round) kill_while_it_answers();
  Agent last(arguments());
  await_measured(last);
  done_ = true;
  client.join();
  EXPECT_GT(clients.sent, 0U);
  EXPECT_EQ(clients.failed, 0U);
  EXPECT_EQ(clients.connections_refused, 0U);
  EXPECT_EQ(clients.answered, clients.sent);
}

TEST(KilledAgent, IsFollowedByOneThatMeasuresOlderConnections) {
  RawServer server;
  const auto listener = server.listen();
  const RawConnection client(listener.port);
  auto connection = server.accept(listener);
  const LabelMap labels{{"pid", std::to_string(server.pid())}};
  const LabelMap before{{"pid", labels.at("pid")}, {"reason", "before_agent"}};
  const std::string request = http_request("GET", "/");
  const auto exchange = [&] {
    client.send(request);
    connection.read(request.size());
    connection.write({kAnswer});
    client.receive(kAnswer.size());
  };
  const auto count = [&](const Scraped& now) {
    return now.sum("manometer_http_request_duration_seconds_count", labels);
  };
  // The first one, where the last answer may have gone in the same tick that its request came in.
  const auto unmatched = [&](const Scraped& now) { return now.sum("manometer_http_unmatched_total", labels); };
  exchange();
  for (int round = 0; round < 2; ++round) {
    Agent agent({"--watch", "exe:*/raw_http_server"});
    agent.scrape_until([&](const Scraped& now) { return now.value("manometer_http_connections", labels) == 1; });
    for (int i = 0; i < 3; ++i) exchange();
    const Scraped scraped = agent.scrape_until([&](const Scraped& now) { return count(now) + unmatched(now) >= 3; });
    EXPECT_EQ(count(scraped) + unmatched(scraped), 3);
    EXPECT_GE(count(scraped), 2);
    EXPECT_EQ(unmatched(scraped), scraped.sum("manometer_http_unmatched_total", before));
    agent.child().signal(SIGKILL);
    EXPECT_EQ(agent.child().wait(), 128 + SIGKILL);
  }
}

}  // namespace
}  // namespace manometer::test
