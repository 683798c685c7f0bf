// Clients that mean harm: what they send leaves nothing behind in the agent or the kernel and makes no label, and the
// agent measures the next client as before.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/probes/request_probe.h"
#include "tests/bpf/effort.h"
#include "tests/bpf/http_load.h"
#include "tests/bpf/random_http.h"
#include "tests/bpf/unified_cgroup.h"
#include "tests/support/agent.h"
#include "tests/support/bpf_objects.h"
#include "tests/support/raw_client.h"

namespace manometer::test {
namespace {

constexpr double kMegabyte = 1 << 20;
const std::string kPrefix = "manometer_http_";
constexpr std::string_view kAnswerEnd = "world\n";

/// What the agent takes.
struct Footprint {
  double resident_bytes = 0;
  double descriptors = 0;
  size_t maps = 0;
  uint64_t map_bytes = 0;
};

uint64_t map_bytes(pid_t pid) {
  constexpr std::string_view kField = "memlock:";
  uint64_t sum = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fdinfo")) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with(kField)) sum += std::stoull(line.substr(kField.size()));
    }
  }
  return sum;
}

std::optional<double> lost_connections(const Scraped& scraped) {
  return scraped.value("manometer_events_lost_total", {{"reason", "connections_full"}});
}

/// A server under attack, and the agent that watches it.
class Hostile : public testing::Test {
 protected:
  Hostile() {
    good_.port = port_;
    good_.waits = Load::Waits::kSleep;
    good_.connections = 4;
    good_.count = 1'000;
    agent_.scrape_until([&](const Scraped& now) { return now.value(kPrefix + "requests_in_flight", labels_) == 0; });
    expect_good_requests_counted();  // so that what is allocated once is there
    before_ = footprint();
  }

  void TearDown() override {
    EXPECT_TRUE(eventually([&] { return agent_.scrape_anew().value(kPrefix + "connections", labels_) == 0; }));
    expect_good_requests_counted();
    expect_no_other_labels();
    EXPECT_EQ(lost_connections(agent_.scrape_anew()), 0);
    const Footprint now = footprint();
    EXPECT_LT(now.resident_bytes, before_.resident_bytes + 2 * kMegabyte);
    EXPECT_LE(now.descriptors, before_.descriptors);
    EXPECT_EQ(now.maps, before_.maps);
    EXPECT_EQ(now.map_bytes, before_.map_bytes);
  }

  RawClient connect() const { return RawClient("127.0.0.1:" + std::to_string(port_)); }
  double observed(const LabelMap& more = {}) const {
    LabelMap labels = labels_;
    labels.insert(more.begin(), more.end());
    return agent_.scrape_anew().sum(kPrefix + "request_duration_seconds_count", labels);
  }
  double unmatched() const { return agent_.scrape_anew().sum(kPrefix + "unmatched_total", labels_); }

  void expect_good_requests_counted() const {
    const LabelMap good{{"method", "GET"}, {"code", "200"}};
    const double before = observed(good);
    EXPECT_EQ(run_load(good_).answered, good_.count);
    const double after = before + static_cast<double>(good_.count);
    EXPECT_TRUE(eventually([&] { return observed(good) == after; }));
    EXPECT_EQ(observed(good), after);
  }

  void expect_no_other_labels() const {
    static const std::set<std::string> kMethods{"OTHER",  "GET",     "HEAD",    "POST",  "PUT",
                                                "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    const Scraped scraped = agent_.scrape_anew();
    for (const auto& sample : scraped.all(kPrefix + "request_duration_seconds_count", labels_)) {
      EXPECT_THAT(kMethods, testing::Contains(sample.labels.at("method")));
      EXPECT_EQ(sample.labels.at("code"), "200") << "the server gives no other";
      EXPECT_FALSE(sample.labels.contains("route"));
    }
  }

  Footprint footprint() const {
    const Scraped scraped = agent_.scrape_anew();
    const BpfObjects held = held_by(agent_.pid());
    return {scraped.value("process_resident_memory_bytes").value(), scraped.value("process_open_fds").value(),
            static_cast<size_t>(std::ranges::count(held, BpfKind::kMap, &BpfObjects::value_type::first)),
            map_bytes(agent_.pid())};
  }

  Random random_;
  UnifiedCgroup cgroup_{"hostile"};
  Child server_{cgroup_.inside({MANOMETER_FAST_HTTP_SERVER})};
  const uint16_t port_ = static_cast<uint16_t>(std::stoi(server_.read_line().value()));
  Agent agent_{{"--watch", "cgroup:*/" + cgroup_.name()}};
  const LabelMap labels_{{"pid", std::to_string(server_.pid())}};
  Load good_;
  Footprint before_;
};

/// Before 5.11 connections take room in a map.
TEST(Crowd, OfConnectionsThatThereIsNoRoomForIsCountedAsLost) {
  const auto probe = probes::RequestProbe::open({});
  ASSERT_TRUE(probe.ok()) << probe.error().message();
  const UnifiedCgroup cgroup("crowd");
  Child server(cgroup.inside({MANOMETER_FAST_HTTP_SERVER}));
  Load load;
  load.port = static_cast<uint16_t>(std::stoi(server.read_line().value()));
  load.connections = 64;
  load.count = 6'400;
  const Agent agent({"--watch", "cgroup:*/" + cgroup.name(), "--max-connections", "8"});
  const LabelMap labels{{"pid", std::to_string(server.pid())}};
  agent.scrape_until([&](const Scraped& now) { return now.value(kPrefix + "requests_in_flight", labels) == 0; });
  EXPECT_EQ(run_load(load).answered, load.count);
  const Scraped scraped = agent.scrape_anew();
  const std::optional<double> lost = lost_connections(scraped);
  const double observed = scraped.sum(kPrefix + "request_duration_seconds_count", labels);
  if ((*probe)->by_cookie()) {
    EXPECT_GT(lost, 0);
    EXPECT_LT(observed, load.count);
  } else {
    EXPECT_EQ(lost, 0);
    EXPECT_EQ(observed, load.count);
  }
}

TEST_F(Hostile, RandomBytes) {
  for (size_t i = effort(1'000, 50); i > 0; --i) {
    RawClient client = connect();
    client.send(random_.one_in(2) ? random_.bytes(8'000) : random_payload(random_, 8'000));
    if (random_.one_in(2)) client.reset();
  }
}

TEST_F(Hostile, HeaderLinesOfAMegabyte) {
  const double before = observed();
  RawClient client = connect();
  const std::vector<std::string> heads{"GET / HTTP/1.1\r\nX: ", "GET /", "POST / HTTP/1.1\r\nCookie:"};
  for (const std::string& head : heads) {
    ASSERT_TRUE(client.send(head + std::string(1 << 20, 'x') + "\r\n\r\n"));
    EXPECT_THAT(client.receive(kAnswerEnd), testing::HasSubstr("200 OK"));
  }
  const RawClient other = connect();
  ASSERT_TRUE(other.send(std::string(1 << 20, 'x') + " / HTTP/1.1\r\n\r\n"));
  other.receive(kAnswerEnd);
  EXPECT_TRUE(eventually([&] { return observed() == before + static_cast<double>(heads.size()); }));
  EXPECT_EQ(observed(), before + static_cast<double>(heads.size()));
  EXPECT_EQ(unmatched(), 1) << "what begins with a megabyte of letters is not HTTP";
}

TEST_F(Hostile, ConnectionsOpenedAndClosed) {
  constexpr size_t kBacklog = 1'000;  // fewer than the server lets wait
  const double before = observed();
  size_t requests = 0;
  for (size_t i = effort(100'000, 2'000); i > 0; --i) {
    RawClient client = connect();
    if (i % kBacklog == 0) {
      ++requests;
      ASSERT_TRUE(client.send(http_request("GET", "/")));
      client.receive(kAnswerEnd);
    } else if (i % 3 == 0) {
      client.send("G");
    }
    client.reset();  // no port waits in TIME_WAIT
  }
  EXPECT_EQ(observed(), before + static_cast<double>(requests));
}

TEST_F(Hostile, MethodsAndPathsOfAnyBytes) {
  Load load = good_;
  load.new_connection_each = true;  // what is no HTTP is counted once for each
  load.requests.clear();
  load.count = effort(4'000, 200);
  while (load.requests.size() < load.count) {
    std::string method = random_.bytes(1 + random_.number(24));
    if (random_.one_in(2)) std::ranges::generate(method, [&] { return static_cast<char>('A' + random_.number(26)); });
    std::string request = method + " /" + random_.bytes(random_.number(100)) + " HTTP/1.1";
    // Any but the ends of lines, which would make several requests of it.
    std::ranges::replace(request, '\r', '"');
    std::ranges::replace(request, '\n', '"');
    load.requests.push_back(request + "\r\n\r\n");
  }
  const double before = observed();
  const double unmatched_before = unmatched();
  EXPECT_EQ(run_load(load).answered, load.count);
  const auto counted = [&] { return observed() - before + unmatched() - unmatched_before; };
  EXPECT_TRUE(eventually([&] { return counted() == static_cast<double>(load.count); }));
  EXPECT_EQ(counted(), static_cast<double>(load.count));
  EXPECT_GT(observed({{"method", "OTHER"}}), 0);
}

}  // namespace
}  // namespace manometer::test
