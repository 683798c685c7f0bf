// Several requests of one connection that wait for their responses, and several messages in one segment.

#include "bpf/request.h"
#include "tests/bpf/request_case.h"

namespace manometer::test {
namespace {

constexpr uint64_t kMost = REQUEST_PENDING;

class PipelineCase : public RequestCase {
 protected:
  /// So many GETs in one segment, so many responses in one.
  static std::vector<Timeline> exchange_at_once(Talk& talk, uint64_t count) {
    Timeline all;
    all.arrival = talk.send({repeat(kGet, count)}, count);
    talk.answer({repeat(kOk, count)}, all);
    return std::vector<Timeline>(std::min(count, kMost), all);
  }
};

TEST_F(PipelineCase, TwoInOneSegment) {
  const auto requests = exchange_at_once(connect(), 2);
  expect({.observed = {{"GET 200", 2}}});
  expect_times(requests);
}

TEST_F(PipelineCase, AsManyAsCanWait) {
  Talk& talk = connect();
  std::vector<Timeline> all;
  for (uint64_t round = 1; round <= 5; ++round) {
    const auto requests = exchange_at_once(talk, kMost);
    all.insert(all.end(), requests.begin(), requests.end());
    expect({.observed = {{"GET 200", round * kMost}}});
  }
  expect_times(all);
}

TEST_F(PipelineCase, AnsweredOneByOne) {
  Talk& talk = connect();
  std::vector<Timeline> requests(3);
  requests[0].arrival = talk.send({kGet});
  requests[1].arrival = talk.send({kHead});
  requests[2].arrival = talk.send({"DELETE / HTTP/1.1\r\n\r\n"});
  const Between read = talk.read();
  for (Timeline& request : requests) request.read = read;
  talk.write({kOk}, requests[0]);
  expect({.observed = {{"GET 200", 1}}, .in_flight = 2});
  talk.write({"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"}, requests[1]);
  expect({.observed = {{"GET 200", 1}, {"HEAD 200", 1}}, .in_flight = 1});
  talk.write({kNotFound}, requests[2]);
  expect({.observed = {{"GET 200", 1}, {"HEAD 200", 1}, {"DELETE 404", 1}}});
  expect_times(requests);
}

TEST_F(PipelineCase, ReadOneByOne) {
  Talk& talk = connect();
  std::vector<Timeline> requests(3);
  for (Timeline& request : requests) request.arrival = talk.send({kGet});
  for (Timeline& request : requests) request.read = talk.read(kGet.size());
  for (Timeline& request : requests) talk.write({kOk}, request);
  expect({.observed = {{"GET 200", 3}}});
  expect_times(requests);
}

TEST_F(PipelineCase, SegmentsThatEndWithinRequests) {
  Talk& talk = connect();
  std::vector<Timeline> requests(4);
  requests[0].arrival = requests[1].arrival = talk.send({kGet + "GET / HT"});
  requests[2].arrival = requests[3].arrival = talk.send({"TP/1.1\r\n\r\n" + kGet + "HEAD"}, 2);
  talk.send({" / HTTP/1.1\r\n\r\n"});
  expect({.in_flight = 4});
  Timeline all;
  talk.answer({kOk + kOk + kNotFound + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"}, all);
  for (Timeline& request : requests) request = {request.arrival, all.read, all.first_byte, all.last_byte};
  expect({.observed = {{"GET 200", 2}, {"GET 404", 1}, {"HEAD 200", 1}}});
  expect_times(requests);
}

TEST_F(PipelineCase, ABodyBetween) {
  Talk& talk = connect();
  Timeline both;
  both.arrival = talk.send({"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody" + kGet}, 2);
  talk.answer({kOk + kNotFound}, both);
  expect({.observed = {{"POST 200", 1}, {"GET 404", 1}}});
  expect_times({both, both});
}

TEST_F(PipelineCase, MoreThanCanWait) {
  Talk& talk = connect();
  auto requests = exchange_at_once(talk, 20);
  expect({.observed = {{"GET 200", kMost}}, .unmatched = {{"pipeline_full", 20 - kMost}}});
  for (int i = 0; i < 3; i++) requests.push_back(talk.exchange({kGet}, {kNotFound}));
  expect({.observed = {{"GET 200", kMost}, {"GET 404", 3}}, .unmatched = {{"pipeline_full", 20 - kMost}}});
  expect_times(requests);
}

TEST_F(PipelineCase, MoreThanCanWaitWithoutBodies) {
  constexpr uint64_t kAll = 20;
  Talk& talk = connect();
  talk.send({repeat(kHead, kAll)}, kAll);
  talk.answer({repeat("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", kAll)});
  expect({.observed = {{"HEAD 200", kMost}}, .unmatched = {{"pipeline_full", kAll - kMost}}});
  talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"GET 404", 1}, {"HEAD 200", kMost}}, .unmatched = {{"pipeline_full", kAll - kMost}}});
}

TEST_F(PipelineCase, MoreThanCanWaitAreInFlightUntilAnswered) {
  Talk& talk = connect();
  Timeline all;
  all.arrival = talk.send({repeat(kGet, 20)}, 20);
  expect({.in_flight = 20});
  EXPECT_GT(gauge("oldest_unread_seconds"), 0);
  all.read = talk.read();
  for (uint64_t i = 0; i < 20; i++) talk.write({kOk});
  expect({.observed = {{"GET 200", kMost}}, .unmatched = {{"pipeline_full", 20 - kMost}}});
}

TEST_F(PipelineCase, MoreThanCanWaitAndNoneAnswered) {
  Talk& talk = connect();
  talk.send({repeat(kGet, 20)}, 20);
  talk.client().reset();
  expect({.unmatched = {{"client_reset", kMost}, {"pipeline_full", 20 - kMost}}});
}

TEST_F(PipelineCase, MoreResponsesInOneSegmentThanAreLookedAt) {
  Talk& talk = connect();
  talk.send({repeat(kGet, 60)}, 60);
  talk.answer({repeat(kOk, 60)});
  expect({.observed = {{"GET 200", kMost}}, .unmatched = {{"pipeline_full", 60 - kMost}}});
  talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"GET 200", kMost}, {"GET 404", 1}}, .unmatched = {{"pipeline_full", 60 - kMost}}});
}

TEST_F(PipelineCase, MoreRequestsInOneSegmentThanAreLookedAt) {
  Talk& talk = connect();
  talk.send_more({repeat(kGet, 600)});
  // How many there were in the rest of the segment is not known.
  const Counted seen = counted(scrape());
  EXPECT_GT(seen.in_flight, 100U);
  EXPECT_LE(seen.unmatched, (std::map<std::string, uint64_t>{{"too_complex", 1}}));
  sent_otherwise_ = seen.all();
  talk.answer({repeat(kOk, 600)});
  talk.exchange({kGet}, {kNotFound});
  EXPECT_EQ(counted_when([](const Counted& now) { return now.in_flight == 0; }).observed,
            (std::map<std::string, uint64_t>{{"GET 200", kMost}, {"GET 404", 1}}));
}

TEST_F(PipelineCase, AsManyLinesInOneSegmentAsAreLookedAt) {
  // 34 runs (the first, and 33 that the kernel allows behind it) of 16 steps: two lines are not headers.
  constexpr size_t kHeaders = 34 * 16 - 2;
  std::vector<Timeline> requests;
  for (const size_t headers : {kHeaders - 1, kHeaders, kHeaders + 1}) {
    const std::string request = "GET / HTTP/1.1\r\n" + repeat("A: 1\r\n", headers) + "\r\n";
    requests.push_back(connect().exchange({request}, {kOk}));
  }
  expect({.observed = {{"GET 200", requests.size()}}});
  expect_times(requests);
}

TEST_F(PipelineCase, MoreLinesInOneSegmentThanAreLookedAt) {
  Talk& talk = connect();
  // One request of 2,000 lines: 16 KB. Its end is not seen, but its response is, and the next one's beginning.
  const Timeline first = talk.exchange({"GET / HTTP/1.1\r\n" + repeat("A: 1\r\n", 2000) + "\r\n"}, {kOk});
  const Timeline second = talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"GET 200", 1}, {"GET 404", 1}}});
  expect_times({first, second});
}

TEST_F(PipelineCase, MoreChunksInOneSegmentThanAreLookedAt) {
  Talk& talk = connect();
  const std::string chunks = repeat("1\r\nx\r\n", 2000) + "0\r\n\r\n";
  const Timeline first = talk.exchange({kGet}, {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks});
  expect({.in_flight = 1});
  const Timeline second = talk.exchange({kGet}, {kNotFound});
  expect({.observed = {{"GET 200", 1}, {"GET 404", 1}}});
  expect_times({first, second});
}

}  // namespace
}  // namespace manometer::test
