#include "tests/bpf/request_case.h"

#include <cmath>
#include <numeric>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <sys/utsname.h>
#include <utility>

namespace manometer::test {
namespace {

const std::string kPrefix = "manometer_http_request_";
constexpr double kNsPerSecond = 1e9;
/// What happened is counted as a rule before the call returns that made it happen.
constexpr std::chrono::seconds kCountedWithin{10};

uint64_t total(const std::map<std::string, uint64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0},
                         [](uint64_t sum, const auto& entry) { return sum + entry.second; });
}

/// What lies between two of a request's moments, summed over some of them.
struct Span {
  uint64_t count = 0;
  uint64_t least_ns = 0;
  uint64_t most_ns = 0;

  void add(const std::optional<Between>& from, const std::optional<Between>& to) {
    if (!from || !to) return;
    ++count;
    least_ns += to->low_ns > from->high_ns ? to->low_ns - from->high_ns : 0;
    most_ns += to->high_ns - from->low_ns;
  }
};

void expect_span(const Scraped& scraped, const LabelMap& labels, const std::string& stage, const Span& span) {
  EXPECT_EQ(scraped.sum(kPrefix + stage + "_seconds_count", labels), static_cast<double>(span.count)) << stage;
  const auto sum_ns = std::llround(scraped.sum(kPrefix + stage + "_seconds_sum", labels) * kNsPerSecond);
  EXPECT_GE(sum_ns, static_cast<int64_t>(span.least_ns)) << stage;
  EXPECT_LE(sum_ns, static_cast<int64_t>(span.most_ns)) << stage;
}

}  // namespace

std::unique_ptr<Agent> RequestCase::agent;

uint64_t Counted::all() const {
  return total(observed) + total(unmatched) + in_flight;
}

std::ostream& operator<<(std::ostream& out, const Counted& counted) {
  return out << "observed " << testing::PrintToString(counted.observed) << ", unmatched "
             << testing::PrintToString(counted.unmatched) << ", in flight " << counted.in_flight
             << ", responses without request " << counted.no_request;
}

void RequestCase::start_agent(const std::vector<std::string>& arguments) {
  std::vector<std::string> all{"--watch", "exe:*/raw_http_server"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  if (kernel_is_old()) all.insert(all.end(), {"--scan-interval", "1s"});
  agent = std::make_unique<Agent>(all);
}

void RequestCase::SetUp() {
  if (!agent) start_agent();
  await_watched();
}

void RequestCase::await_watched(const RawServer& server, const RawServer::Listener& listener) {
  LabelMap with_port = labels_of(server);
  with_port["port"] = std::to_string(listener.port);
  const auto limit = [&](const Scraped& now) { return now.value("manometer_http_accept_queue_limit", with_port); };
  if (!limit(agent->scrape_until([&](const Scraped& now) { return limit(now).has_value(); })))
    throw std::runtime_error("the agent does not watch the server");
}

void RequestCase::TearDown() {
  EXPECT_EQ(counted(scrape()).all(), sent());
  for (Talk& talk : talks_) talk.client().reset();
  const Counted last = counted_when([](const Counted& now) { return now.in_flight == 0; });
  EXPECT_EQ(last.in_flight, 0U);
  EXPECT_EQ(last.all(), sent());
}

bool RequestCase::kernel_is_old() {
  constexpr std::pair kFirstNew{5, 11};
  utsname system{};
  ::uname(&system);
  std::istringstream release(system.release);
  std::pair<int, int> version;
  char dot = 0;
  release >> version.first >> dot >> version.second;
  return version < kFirstNew;
}

double RequestCase::gauge(const std::string& name) const {
  return scrape().sum("manometer_http_" + name, labels());
}

Talk& RequestCase::connect(const std::string& host, int receive_buffer) {
  return talks_.emplace_back(server_, listener_, host, receive_buffer);
}

uint64_t RequestCase::sent() const {
  return std::accumulate(talks_.begin(), talks_.end(), sent_otherwise_ - sent_before_,
                         [](uint64_t sum, const Talk& talk) { return sum + talk.sent(); });
}

Scraped RequestCase::scrape() const {
  return agent->scrape_anew();
}

Counted RequestCase::counted(const Scraped& scraped) const {
  Counted out;
  for (const auto& sample : scraped.all(kPrefix + "duration_seconds_count", labels())) {
    std::string name = sample.labels.at("method") + ' ' + sample.labels.at("code");
    if (const auto route = sample.labels.find("route"); route != sample.labels.end()) name += ' ' + route->second;
    if (sample.value > 0) out.observed[name] = static_cast<uint64_t>(sample.value);
  }
  for (const auto& sample : scraped.all("manometer_http_unmatched_total", labels()))
    if (sample.value > 0) out.unmatched[sample.labels.at("reason")] = static_cast<uint64_t>(sample.value);
  out.in_flight = static_cast<uint64_t>(scraped.sum("manometer_http_requests_in_flight", labels()));
  out.no_request = static_cast<uint64_t>(scraped.sum("manometer_http_responses_without_request_total", labels()));
  return out;
}

Counted RequestCase::counted_when(const std::function<bool(const Counted&)>& condition) const {
  Counted last;
  eventually([&] { return condition(last = counted(scrape())); }, kCountedWithin);
  return last;
}

void RequestCase::expect(const Counted& expected) const {
  EXPECT_EQ(counted_when([&](const Counted& now) { return now == expected; }), expected);
}

void RequestCase::expect_times(const std::vector<Timeline>& requests) const {
  Span queue;
  Span processing;
  Span transfer;
  Span duration;
  for (const Timeline& request : requests) {
    queue.add(request.arrival, request.read);
    processing.add(request.read, request.first_byte);
    transfer.add(request.first_byte, request.last_byte);
    duration.add(request.arrival, request.last_byte);
  }
  const Scraped scraped = scrape();
  expect_span(scraped, labels(), "queue", queue);
  expect_span(scraped, labels(), "processing", processing);
  expect_span(scraped, labels(), "transfer", transfer);
  expect_span(scraped, labels(), "duration", duration);
}

}  // namespace manometer::test
