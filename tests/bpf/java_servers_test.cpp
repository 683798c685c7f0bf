// Every kind of server answers as its test expects in every JDK, works on no more requests at a time than it should,
// and stands still when its JVM does.

#include <algorithm>
#include <atomic>
#include <ostream>
#include <thread>

#include <gtest/gtest.h>

#include "tests/bpf/clock.h"
#include "tests/bpf/freeze.h"
#include "tests/bpf/http_load.h"
#include "tests/bpf/java_server.h"
#include "tests/support/skip.h"

namespace manometer::test {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kNsPerMs = 1'000'000;

struct Kind {
  int jdk = 0;
  std::string name;
};

std::ostream& operator<<(std::ostream& out, const Kind& kind) {
  return out << kind.name << " in JDK " << kind.jdk;
}

std::vector<Kind> all_kinds() {
  std::vector<Kind> out;
  for (const int version : {8, 11, 17, 21, 25}) {
    for (const char* name : {"nio", "nio-executor", "blocking"}) out.push_back({version, name});
    if (version != 11) out.push_back({version, "jdk"});  // the runtime in the cache has no such module
    if (version >= 11) out.push_back({version, "tomcat"});
    if (version >= 21) out.push_back({version, "virtual"});
  }
  return out;
}

class JavaServers : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    const auto jdk = fetch_jdk(GetParam().jdk);
    if (!jdk) MANOMETER_SKIP(jdk.error().message());
    if (const auto reason = why_no_server(*jdk, GetParam().name)) MANOMETER_SKIP(*reason);
    jdk_ = *jdk;
  }

  Load load_for(const JavaServer& server, size_t connections, uint64_t count) const {
    Load load;
    load.port = server.port();
    load.connections = connections;
    load.count = count;
    return load;
  }

  /// How many connections so many requests take one after the other, some of which have no body.
  uint64_t connections_for(uint64_t requests, uint64_t without_body) const {
    if (GetParam().name == "blocking") return requests;
    return GetParam().name == "jdk" ? without_body : 1;
  }

  Jdk jdk_;
};

TEST_P(JavaServers, AnswerByPath) {
  const JavaServer server(jdk_, {.kind = GetParam().name});
  Load load = load_for(server, 1, 14);
  load.requests = {http_request("GET", "/"),           http_request("HEAD", "/"),
                   http_request("GET", "/chunked"),    http_request("GET", "/bytes/3000000"),
                   http_request("GET", "/status/404"), http_request("GET", "/status/204"),
                   http_request("GET", "/bytes/0")};
  const LoadResult result = run_load(load);
  EXPECT_EQ(result.answered, 14U);
  EXPECT_EQ(result.failed, 0U);
  EXPECT_EQ(result.by_status, (std::map<int, uint64_t>{{200, 10}, {204, 2}, {404, 2}}));
  EXPECT_EQ(result.connections_opened, connections_for(14, 6));
}

TEST_P(JavaServers, GiveEachRequestTheWorkersWholeTime) {
  const JavaServer server(jdk_, {.kind = GetParam().name, .threads = 1, .service = 2ms});
  const uint64_t start = now_ns();
  const LoadResult result = run_load(load_for(server, 5, 100));
  EXPECT_GE(now_ns() - start, 200 * kNsPerMs);
  EXPECT_EQ(result.answered, 100U);
  EXPECT_GE(result.duration.quantile_ns(0), 2 * kNsPerMs);
}

INSTANTIATE_TEST_SUITE_P(All, JavaServers, testing::ValuesIn(all_kinds()), [](const auto& test) {
  std::string name = test.param.name + "_" + std::to_string(test.param.jdk);
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(Freeze, HoldsUpWhatIsSentMeanwhile) {
  const auto jdk = fetch_jdk(21);
  if (!jdk) MANOMETER_SKIP(jdk.error().message());
  if (const auto reason = why_no_server(*jdk, "nio-executor")) MANOMETER_SKIP(*reason);
  const JavaServer server(*jdk, {.kind = "nio-executor", .threads = 8});
  std::atomic<bool> done = false;
  Load load;
  load.port = server.port();
  load.connections = 400;  // more than come while it is frozen
  load.rate = 1'000;
  load.until = [&](const LoadResult&) { return done.load(); };
  LoadResult result;
  std::jthread client([&] { result = run_load(load); });
  const auto frozen = freeze(server.pid(), 5, 300ms, 200ms);
  done = true;
  client.join();

  EXPECT_EQ(result.answered, result.sent);
  EXPECT_EQ(result.failed, 0U);
  EXPECT_EQ(frozen.size(), 5U);
  // What was due in the first 200 ms of 300 waited 100 ms at least: 200 requests at 1,000 a second, give or take one.
  const auto late = std::ranges::count_if(result.since_due.all(), [](uint64_t ns) { return ns >= 100 * kNsPerMs; });
  EXPECT_GE(late, 5 * 199);
  for (const Frozen& one : frozen) EXPECT_GE(one.to_ns - one.from_ns, 300 * kNsPerMs);
}

TEST(Freeze, LetsTheProcessRunAgain) {
  Child child({"cat"});
  freeze(child.pid(), 2, 1ms, 0ms);
  child.write_line("awake");
  EXPECT_EQ(child.read_line(), "awake");
}

}  // namespace
}  // namespace manometer::test
