// Where requests and responses begin and end, however their bytes are cut into segments.

#include "tests/bpf/request_case.h"

namespace manometer::test {
namespace {

using Segments = std::vector<std::string>;

const std::string kPost = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nGET / HTTP/1";
const std::string kChunkedPost =
    "PUT /some/long/path/that/fills/a/window HTTP/1.1\r\ntransfer-encoding:chunked\r\n\r\n"
    "5;extension=\"1\"\r\n\r\n\r\n0\r\n0E\r\nGET / HTTP/1.1\r\n0\r\nTrailer: 1\r\n\r\n";
const std::string kChunkedOk =
    "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5;extension=\"1\"\r\n\r\n\r\n0\r\n0e\r\nHTTP/1.1 200 O\r\n0\r\nTrailer: 1\r\n\r\n";
const std::string kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

class FramingCase : public RequestCase {
 protected:
  /// Every way to cut one of the two messages in two, one after the other on one connection.
  void exchange_all_cuts(const std::string& request, const std::string& response, bool of_response,
                         const std::string& name) {
    Talk& talk = connect();
    std::vector<Timeline> requests;
    const std::string& message = of_response ? response : request;
    for (size_t at = 1; at < message.size(); at++) {
      requests.push_back(of_response ? talk.exchange({request}, cut(response, at))
                                     : talk.exchange(cut(request, at), {response}));
    }
    expect({.observed = {{name, message.size() - 1}}});
    expect_times(requests);
  }
};

TEST_F(FramingCase, EveryCutOfARequestWithABody) {
  exchange_all_cuts(kPost, kOk, false, "POST 200");
}

TEST_F(FramingCase, EveryCutOfAChunkedRequest) {
  exchange_all_cuts(kChunkedPost, kOk, false, "PUT 200");
}

TEST_F(FramingCase, EveryCutOfAResponseWithALength) {
  exchange_all_cuts(kGet, kOk, true, "GET 200");
}

TEST_F(FramingCase, EveryCutOfAChunkedResponse) {
  exchange_all_cuts(kGet, kChunkedOk, true, "GET 201");
}

TEST_F(FramingCase, ByteByByte) {
  Talk& talk = connect();
  const Timeline first = talk.exchange(bytes_of(kPost), bytes_of(kOk));
  const Timeline second = talk.exchange(bytes_of(kChunkedPost), bytes_of(kChunkedOk));
  expect({.observed = {{"POST 200", 1}, {"PUT 201", 1}}});
  expect_times({first, second});
}

/// What a client sends on a connection, what the server answers, and what is counted of that; then one more request,
/// which is only matched if all of it was understood.
struct Exchange {
  std::string name;
  Segments request;
  Segments response;
  std::string counted;
};

std::ostream& operator<<(std::ostream& out, const Exchange& exchange) {
  return out << exchange.name;
}

class FramingCaseOf : public RequestCase, public testing::WithParamInterface<Exchange> {};

TEST_P(FramingCaseOf, OneMessageAndTheNext) {
  Talk& talk = connect();
  const Timeline first = talk.exchange(GetParam().request, GetParam().response);
  expect({.observed = {{GetParam().counted, 1}}});
  const Timeline second = talk.exchange({"DELETE / HTTP/1.1\r\n\r\n"}, {kNotFound});
  expect({.observed = {{GetParam().counted, 1}, {"DELETE 404", 1}}});
  expect_times({first, second});
}

std::string with_header(const std::string& lines, const std::string& body) {
  return "HTTP/1.1 200 OK\r\n" + lines + "\r\n" + body;
}

std::string posts(const std::string& lines, const std::string& body) {
  return "POST / HTTP/1.1\r\n" + lines + "\r\n" + body;
}

INSTANTIATE_TEST_SUITE_P(
    Responses, FramingCaseOf,
    testing::Values(
        Exchange{"head_with_length", {kHead}, {with_header("Content-Length: 1000\r\n", "")}, "HEAD 200"},
        Exchange{"head_chunked", {kHead}, {with_header("Transfer-Encoding: chunked\r\n", "")}, "HEAD 200"},
        Exchange{"no_content", {kGet}, {"HTTP/1.1 204 No Content\r\n\r\n"}, "GET 204"},
        Exchange{"not_modified", {kGet}, {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"}, "GET 304"},
        Exchange{"no_body", {kGet}, {with_header("Content-Length: 0\r\n", "")}, "GET 200"},
        Exchange{"header_and_body_apart", {kGet}, {with_header("Content-Length: 2\r\n", ""), "ok"}, "GET 200"},
        Exchange{"body_of_a_response",
                 {kGet},
                 {with_header("Content-Length: 19\r\n", ""), "HTTP/1.1 500 No\r\n\r\n"},
                 "GET 200"},
        Exchange{"last_chunk_alone",
                 {kGet},
                 {with_header("Transfer-Encoding: chunked\r\n", ""), "2\r\nok\r\n", "0\r\n\r\n"},
                 "GET 200"},
        Exchange{"last_chunk_cut",
                 {kGet},
                 {with_header("Transfer-Encoding: chunked\r\n", "2\r\nok\r\n0"), "\r", "\n", "\r", "\n"},
                 "GET 200"},
        Exchange{"many_chunks_in_one_segment",
                 {kGet},
                 {with_header("Transfer-Encoding: chunked\r\n", repeat("1\r\nx\r\n", 120) + "0\r\n\r\n")},
                 "GET 200"},
        Exchange{"trailers",
                 {kGet},
                 {with_header("Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\nA: 1\r\nB: 2\r\n\r\n")},
                 "GET 200"},
        Exchange{"lower_case_and_no_space", {kGet}, {with_header("content-length:2\r\n", "ok")}, "GET 200"},
        Exchange{"spaces_around_the_length", {kGet}, {with_header("Content-Length: \t 2 \r\n", "ok")}, "GET 200"},
        Exchange{
            "gzip_and_chunked", {kGet}, {with_header("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")}, "GET 200"},
        Exchange{"chunked_beats_length",
                 {kGet},
                 {with_header("Content-Length: 9\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
                 "GET 200"},
        Exchange{"length_beside_chunked",
                 {kGet},
                 {with_header("Transfer-Encoding: chunked\r\nContent-Length: 9\r\n", "0\r\n\r\n")},
                 "GET 200"},
        Exchange{
            "identity", {kGet}, {with_header("Transfer-Encoding: identity\r\nContent-Length: 2\r\n", "ok")}, "GET 200"},
        Exchange{"like_a_length",
                 {kGet},
                 {with_header("X-Content-Length: 9\r\nContent-Lengths: 9\r\n"
                              "Content-Length: 2\r\n",
                              "ok")},
                 "GET 200"},
        Exchange{"no_reason", {kGet}, {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"}, "GET 200"},
        Exchange{"odd_code", {kGet}, {"HTTP/1.1 999 \r\nContent-Length: 0\r\n\r\n"}, "GET 999"},
        Exchange{"line_feeds_alone",
                 {"GET / HTTP/1.1\nHost: a\n\n"},
                 {"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"},
                 "GET 200"},
        Exchange{"long_header_line",
                 {kGet},
                 {with_header("X: " + std::string(8'000, 'x') + "\r\nContent-Length: 2\r\n", "ok")},
                 "GET 200"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Informational, FramingCaseOf,
    testing::Values(
        Exchange{"continue_apart", {kPost}, {kOk}, "POST 200"},
        Exchange{"continue_in_the_same_segment", {kGet}, {kContinue + kOk}, "GET 200"},
        Exchange{"several_in_one",
                 {kGet},
                 {kContinue + "HTTP/1.1 102 Processing\r\nX: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + kOk},
                 "GET 200"},
        Exchange{"continue_and_head", {kHead}, {kContinue + with_header("Content-Length: 9\r\n", "")}, "HEAD 200"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Requests, FramingCaseOf,
    testing::Values(Exchange{"blank_lines_before", {"\r\n\n\r\n" + kGet}, {kOk}, "GET 200"},
                    Exchange{"no_header", {"GET / HTTP/1.1\r\n\r\n"}, {kOk}, "GET 200"},
                    Exchange{"absolute", {"GET http://a/ HTTP/1.1\r\n\r\n"}, {kOk}, "GET 200"},
                    Exchange{"asterisk", {"OPTIONS * HTTP/1.1\r\n\r\n"}, {kOk}, "OPTIONS 200"},
                    Exchange{"patch", {"PATCH / HTTP/1.1\r\n\r\n"}, {kOk}, "PATCH 200"},
                    Exchange{"trace", {"TRACE / HTTP/1.1\r\n\r\n"}, {kOk}, "TRACE 200"},
                    Exchange{"other_method", {"PROPFIND / HTTP/1.1\r\n\r\n"}, {kOk}, "OTHER 200"},
                    Exchange{"method_with_a_dash", {"M-SEARCH * HTTP/1.1\r\n\r\n"}, {kOk}, "OTHER 200"},
                    Exchange{"lower_case_method", {"get / HTTP/1.1\r\n\r\n"}, {kOk}, "OTHER 200"},
                    Exchange{"path_of_any_bytes", {"GET /\x01\xff\"\\\xc3\x28 HTTP/1.1\r\n\r\n"}, {kOk}, "GET 200"},
                    Exchange{"long_path", {"GET /" + std::string(15'000, 'p') + " HTTP/1.1\r\n\r\n"}, {kOk}, "GET 200"},
                    Exchange{"header_of_64_KB_in_many_lines",
                             {"GET / HTTP/1.1\r\n", repeat("X: 1\r\n", 500), repeat("Some: header\r\n", 500),
                              repeat("Another: " + std::string(90, 'x') + "\r\n", 500), "\r\n"},
                             {kOk},
                             "GET 200"},
                    Exchange{"body_of_0", {posts("Content-Length: 0\r\n", "")}, {kOk}, "POST 200"},
                    Exchange{"body_apart", {posts("Content-Length: 5\r\n", ""), "hello"}, {kOk}, "POST 200"},
                    Exchange{"body_of_a_request", {posts("Content-Length: 27\r\n", ""), kGet}, {kOk}, "POST 200"},
                    Exchange{"chunks_of_their_own",
                             {posts("Transfer-Encoding: chunked\r\n", ""), "5\r\nhello\r\n", "0\r\n\r\n"},
                             {kOk},
                             "POST 200"},
                    Exchange{"chunk_headers_cut",
                             {posts("Transfer-Encoding: chunked\r\n", "0001"), "0\r", "\n0123456789abcdef", "\r", "\n0",
                              "\r\n\r\n"},
                             {kOk},
                             "POST 200"},
                    Exchange{"many_chunks",
                             {posts("Transfer-Encoding: chunked\r\n", repeat("1\r\nx\r\n", 200) + "0\r\n\r\n")},
                             {kOk},
                             "POST 200"}),
    [](const auto& test) { return test.param.name; });

TEST_F(FramingCase, ServerAsksForTheBody) {
  Talk& talk = connect();
  Timeline request;
  request.arrival = talk.send({"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"});
  request.read = talk.read();
  talk.write({kContinue});
  expect({.in_flight = 1});
  talk.send_more({"body"});
  talk.read();
  talk.write({kOk}, request);
  expect({.observed = {{"POST 200", 1}}});
  expect_times({request});
}

TEST_F(FramingCase, ServerRefusesTheBody) {
  Talk& talk = connect();
  Timeline request;
  request.arrival = talk.send({"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"});
  talk.answer({"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"}, request);
  expect({.observed = {{"POST 413", 1}}});
  expect_times({request});
}

TEST_F(FramingCase, AnsweredBeforeTheBodyHasCome) {
  Talk& talk = connect();
  Timeline first;
  first.arrival = talk.send({"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n"});
  talk.answer({kNotFound}, first);
  expect({.observed = {{"POST 404", 1}}});
  Timeline second;
  second.arrival = talk.send({"body" + kGet});
  talk.answer({kOk}, second);
  expect({.observed = {{"POST 404", 1}, {"GET 200", 1}}});
  expect_times({first, second});
}

TEST_F(FramingCase, KeepAlive) {
  Talk& talk = connect();
  std::vector<Timeline> requests(50);
  for (Timeline& request : requests) request = talk.exchange({kGet}, {kOk});
  expect({.observed = {{"GET 200", 50}}});
  expect_times(requests);
}

}  // namespace
}  // namespace manometer::test
