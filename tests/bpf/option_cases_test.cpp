// What the flags of `manometer run` change.

#include <limits>

#include "tests/bpf/request_case.h"

namespace manometer::test {
namespace {

std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\n\r\n";
}

/// Each test has an agent of its own.
class OptionCase : public RequestCase {
 protected:
  void SetUp() override { agent.reset(); }
  void meet_agent(const std::vector<std::string>& arguments) {
    start_agent(arguments);
    await_watched();
  }
};

TEST_F(OptionCase, RoutesByTheLongestPrefix) {
  meet_agent({"--route", "/api", "--route", "/api/users/", "--route", "/" + std::string(62, 'r')});
  Talk& talk = connect();
  std::map<std::string, uint64_t> observed;
  for (const auto& [path, counted] : std::map<std::string, std::string>{
           {"/", "GET 200"},
           {"/ap", "GET 200"},
           {"/API", "GET 200"},
           {"/api", "GET 200 /api"},
           {"/apis", "GET 200 /api"},
           {"/api/users", "GET 200 /api"},
           {"/api/users/", "GET 200 /api/users/"},
           {"/api/users/1?q=/other", "GET 200 /api/users/"},
           {"/" + std::string(61, 'r'), "GET 200"},
           {"/" + std::string(62, 'r'), "GET 200 /" + std::string(62, 'r')},
           {"/" + std::string(5000, 'r'), "GET 200 /" + std::string(62, 'r')},
       }) {
    talk.exchange({get(path)}, {kOk});
    ++observed[counted];
    expect({.observed = observed});
  }
}

TEST_F(OptionCase, RoutesOfAllMethods) {
  meet_agent({"--route", "/api"});
  Talk& talk = connect();
  std::map<std::string, uint64_t> observed;
  for (const std::string method : {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"}) {
    talk.exchange({method + " /api/x HTTP/1.1\r\n\r\n"}, {"HTTP/1.1 204 No Content\r\n\r\n"});
    ++observed[method + " 204 /api"];
  }
  talk.exchange({"PROPFIND /api/x HTTP/1.1\r\n\r\n"}, {kOk});
  ++observed["OTHER 200"];  // its name is too long to look behind
  expect({.observed = observed});
}

TEST_F(OptionCase, NoRouteOfAPathInPieces) {
  meet_agent({"--route", "/api"});
  Talk& talk = connect();
  talk.exchange(cut(get("/api/users/with/a/long/path"), 6), {kOk});
  expect({.observed = {{"GET 200", 1}}});
  talk.exchange(cut(get("/api/users/with/a/long/path/of/more/than/a/window"), 40), {kOk});
  expect({.observed = {{"GET 200", 1}, {"GET 200 /api", 1}}});
}

TEST_F(OptionCase, NoLabelWithoutRoutes) {
  meet_agent({});
  connect().exchange({get("/api")}, {kOk});
  expect({.observed = {{"GET 200", 1}}});
}

TEST_F(OptionCase, SeriesAboveTheMost) {
  meet_agent({"--max-series", "3"});
  Talk& talk = connect();
  const auto answers = [](int code) { return "HTTP/1.1 " + std::to_string(code) + " X\r\nContent-Length: 0\r\n\r\n"; };
  std::vector<Timeline> requests;
  for (int code = 200; code < 210; ++code)
    requests.push_back(talk.exchange({kGet}, {answers(code == 204 ? 299 : code)}));
  requests.push_back(talk.exchange({kGet}, {answers(201)}));
  expect({.observed = {{"GET 200", 1}, {"GET 201", 2}, {"GET 202", 1}, {"OTHER other", 7}}});
  EXPECT_EQ(gauge("series_overflow_total"), 7);
  expect_times(requests);
}

TEST_F(OptionCase, BoundsOfBuckets) {
  meet_agent({"--buckets", "0.000001,0.5,30"});
  Talk& talk = connect();
  std::vector<Timeline> requests(5);
  for (Timeline& request : requests) request = talk.exchange({kGet}, {kOk});
  expect({.observed = {{"GET 200", 5}}});
  expect_times(requests);
  std::map<double, double> buckets;
  for (const auto& sample : scrape().all("manometer_http_request_duration_seconds_bucket"))
    buckets[std::stod(sample.labels.at("le"))] = sample.value;
  ASSERT_EQ(buckets.size(), 4U);
  EXPECT_EQ(buckets.at(1e-6), 0) << "nothing is as fast";
  EXPECT_EQ(buckets.at(30), 5);
  EXPECT_EQ(buckets.at(std::numeric_limits<double>::infinity()), 5);
}

}  // namespace
}  // namespace manometer::test
