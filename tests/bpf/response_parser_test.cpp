// The end of a response is found wherever its bytes are cut.

#include "tests/bpf/response_parser.h"

#include <ostream>

#include <gtest/gtest.h>

namespace manometer::test {
namespace {

struct Case {
  std::string name;
  std::string bytes;
  int status = 200;
  bool to_head = false;
  bool closes = false;
};

std::ostream& operator<<(std::ostream& out, const Case& response) {
  return out << response.name;
}

class WholeResponse : public testing::TestWithParam<Case> {};

/// Feeds the parts one after the other: only the last one makes it complete.
void expect_complete(const Case& response, const std::vector<std::string>& parts) {
  ResponseParser parser;
  parser.start(response.to_head);
  for (size_t i = 0; i < parts.size(); i++)
    EXPECT_EQ(parser.feed(parts[i]), i + 1 == parts.size()) << "part " << i << " cut at " << parts[0].size();
  EXPECT_EQ(parser.status(), response.status);
  EXPECT_EQ(parser.closes(), response.closes);
  EXPECT_THROW(parser.feed("x"), std::runtime_error);
}

TEST_P(WholeResponse, IsCompleteAtItsLastByteWhereverItIsCut) {
  const std::string& bytes = GetParam().bytes;
  expect_complete(GetParam(), {bytes});
  for (size_t cut = 1; cut < bytes.size(); cut++)
    expect_complete(GetParam(), {bytes.substr(0, cut), bytes.substr(cut)});
  std::vector<std::string> single;
  for (const char byte : bytes) single.emplace_back(1, byte);
  expect_complete(GetParam(), single);
}

INSTANTIATE_TEST_SUITE_P(
    All, WholeResponse,
    testing::Values(
        Case{"length", "HTTP/1.1 200 OK\r\ncontent-LENGTH:  5\r\n\r\n12\r\n5"},
        Case{"no_body", "HTTP/1.1 500 Oh no\r\nContent-Length: 0\r\n\r\n", 500},
        Case{"no_content", "HTTP/1.1 204 No Content\r\n\r\n", 204},
        Case{"not_modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304},
        Case{"head", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 200, true},
        Case{"close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, false, true},
        Case{"after_continue", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 1\r\n\r\nx", 201},
        Case{"chunked",
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123\r\n6789\r\n0\r\n\r\n"},
        Case{"chunked_with_trailer",
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nSum: 1\r\n\r\n"}),
    [](const auto& test) { return test.param.name; });

TEST(ResponseParser, TakesWhatHasNoLengthToTheEndOfTheConnection) {
  ResponseParser parser;
  parser.start(false);
  EXPECT_FALSE(parser.complete_at_end());
  EXPECT_FALSE(parser.feed("HTTP/1.1 200 OK\r\n\r\nsome"));
  EXPECT_FALSE(parser.feed("thing"));
  EXPECT_TRUE(parser.complete_at_end());
  EXPECT_TRUE(parser.closes());
}

TEST(ResponseParser, IsNotCompleteAtTheEndOfAConnectionThatEndsEarly) {
  ResponseParser parser;
  parser.start(false);
  EXPECT_FALSE(parser.feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1234"));
  EXPECT_FALSE(parser.complete_at_end());
}

TEST(ResponseParser, ForgetsTheOneBefore) {
  ResponseParser parser;
  parser.start(true);
  EXPECT_TRUE(parser.feed("HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"));
  parser.start(false);
  EXPECT_TRUE(parser.feed("HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx"));
  EXPECT_EQ(parser.status(), 404);
  EXPECT_FALSE(parser.closes());
}

}  // namespace
}  // namespace manometer::test
