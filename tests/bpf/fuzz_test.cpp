// The programs for packets by BPF_PROG_TEST_RUN: whatever the bytes are, no packet is dropped, and what is counted is
// what is in the packet.

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/probes/request_probe.h"
#include "tests/bpf/effort.h"
#include "tests/bpf/packet.h"
#include "tests/bpf/program_runs.h"
#include "tests/bpf/random_http.h"

namespace manometer::test {
namespace {

constexpr uint32_t kPass = 1;
constexpr size_t kLongest = 3000;  // BPF_PROG_TEST_RUN takes one page, with the kernel's own room in it

/// Where it is older than 5.11, the agent itself keeps its state by cookie.
bool agent_is_by_cookie() {
  const auto probe = probes::RequestProbe::open({});
  if (!probe) throw std::runtime_error(probe.error().message());
  return (*probe)->by_cookie();
}

struct Variant {
  ProgramRuns::As as;
  bool by_cookie;
};

class FuzzRequests : public testing::TestWithParam<Variant> {
 protected:
  Random random_;
  ProgramRuns programs_{GetParam().as, GetParam().by_cookie || agent_is_by_cookie()};
};

INSTANTIATE_TEST_SUITE_P(, FuzzRequests,
                         testing::Values(Variant{ProgramRuns::As::kCgroupProgram, false},
                                         Variant{ProgramRuns::As::kCgroupProgram, true},
                                         Variant{ProgramRuns::As::kClassifier, false},
                                         Variant{ProgramRuns::As::kClassifier, true}),
                         [](const auto& test) {
                           const bool classifier = test.param.as == ProgramRuns::As::kClassifier;
                           return std::string(classifier ? "Classifier" : "CgroupProgram") +
                                  (test.param.by_cookie ? "ByCookie" : "AsTheAgentHere");
                         });

Segment random_segment(Random& random, uint32_t seq) {
  Segment segment;
  segment.v6 = random.one_in(3);
  segment.ip_words = random.one_in(4) ? 5 + static_cast<unsigned>(random.number(11)) : 5;
  segment.tcp_words = random.one_in(2) ? 5 + static_cast<unsigned>(random.number(11)) : 5;
  segment.seq = seq;
  segment.fin = random.one_in(50);
  segment.payload = random_payload(random, random.one_in(8) ? kLongest : 300);
  return segment;
}

/// Sometimes also its headers are spoilt, or its end is lost.
std::string random_packet(Random& random, const Segment& segment) {
  std::string packet = to_packet(segment);
  const size_t headers = packet.size() - segment.payload.size();
  if (random.one_in(8)) packet[random.number(headers)] = static_cast<char>(random.number(256));
  if (random.one_in(8)) packet.resize(random.number(packet.size()));
  if (random.one_in(50)) packet = random.bytes(random.number(200));
  return packet;
}

/// Of a connection that no bytes have led to: the programs must be right even then.
request_socket random_state(Random& random, request_socket state) {
  for (request_stream* stream : {&state.in, &state.out}) {
    const std::string bytes = random.bytes(sizeof(*stream));
    if (random.one_in(4)) std::ranges::copy(bytes, reinterpret_cast<char*>(stream));
    if (random.one_in(4)) stream->state = static_cast<__u8>(random.number(STREAM_OPAQUE + 1));
    if (random.one_in(4)) stream->left = random.number(100);
  }
  state.arrived = static_cast<__u32>(random.number(UINT32_MAX));
  state.answered = state.arrived - static_cast<__u32>(random.number(uint64_t{2} * REQUEST_PENDING));
  state.read = state.arrived - static_cast<__u32>(random.number(uint64_t{2} * REQUEST_PENDING));
  for (request_pending& pending : state.pending) pending.number = state.arrived - static_cast<__u32>(random.number(10));
  return state;
}

TEST_P(FuzzRequests, NoPacketIsDroppedInAnyState) {
  const size_t runs = effort(300'000, 5'000);
  size_t refused = 0;
  for (size_t i = 0; i < runs; ++i) {
    const auto seq = static_cast<uint32_t>(random_.number(UINT32_MAX));
    request_socket state = ProgramRuns::new_connection(seq, seq);
    if (random_.one_in(2)) state = random_state(random_, state);
    programs_.set_state(state);
    const auto direction = random_.one_in(2) ? Direction::kIn : Direction::kOut;
    const std::string packet =
        random_packet(random_, random_segment(random_, seq + static_cast<uint32_t>(random_.number(3))));
    const auto returned = programs_.run(direction, packet);
    if (!returned) ++refused;
    ASSERT_EQ(returned.value_or(kPass), kPass) << "packet " << i;
    ASSERT_EQ(programs_.run_unmarked(direction, packet).value_or(kPass), kPass) << "packet " << i;
  }
  EXPECT_LT(refused, runs / 4) << "most packets are ones that the kernel takes";
  const bool sees_packets = GetParam().as == ProgramRuns::As::kClassifier;
  EXPECT_GE(programs_.totals().durations, sees_packets ? runs / 10'000 : 0) << "responses are among them";
  EXPECT_EQ(programs_.sum_of_neighbour(), 0U) << "nothing is counted for another target";
}

/// A connection that the test sends packets on.
class Connection {
 public:
  Connection(ProgramRuns& programs, Random& random)
      : programs_(programs),
        state_(ProgramRuns::new_connection(static_cast<uint32_t>(random.number(UINT32_MAX)),
                                           static_cast<uint32_t>(random.number(UINT32_MAX)))) {
    segment_.v6 = random.one_in(2);
    segment_.tcp_words = 5 + static_cast<unsigned>(random.number(11));
  }

  uint32_t next_seq(Direction direction) const { return direction == Direction::kIn ? state_.in.seq : state_.out.seq; }

  /// The next segment in that direction, or one at that distance from it.
  void send(Direction direction, const std::string& payload, uint32_t distance = 0) {
    segment_.seq = next_seq(direction) + distance;
    segment_.payload = payload;
    programs_.set_state(state_);
    ASSERT_EQ(programs_.run(direction, to_packet(segment_)), kPass);
    state_ = programs_.state();
  }

  const request_socket& state() const { return state_; }

 private:
  ProgramRuns& programs_;
  request_socket state_;
  Segment segment_;
};

class FuzzConnections : public testing::Test {
 protected:
  Random random_;
  ProgramRuns programs_{ProgramRuns::As::kClassifier, true};
};

/// How many requests can be known to have come: a line is looked at when its end or its first 32 bytes are there.
uint32_t visible(const std::vector<HttpMessage>& requests, size_t bytes) {
  uint32_t count = 0;
  size_t at = 0;
  for (const HttpMessage& request : requests) {
    if (bytes < at + std::min<size_t>(request.first_line, REQUEST_LINE)) break;
    ++count;
    at += request.bytes.size();
  }
  return count;
}

uint32_t whole(const std::vector<HttpMessage>& messages, size_t bytes) {
  uint32_t count = 0;
  for (const HttpMessage& message : messages) {
    if (bytes < message.bytes.size()) break;
    bytes -= message.bytes.size();
    ++count;
  }
  return count;
}

std::string joined(const std::vector<HttpMessage>& messages) {
  std::string out;
  for (const HttpMessage& message : messages) out += message.bytes;
  return out;
}

TEST_F(FuzzConnections, WhatASegmentSaysCountsAtItsEndAndNothingBeyond) {
  const size_t rounds = effort(10'000, 300);
  uint64_t answered = 0;
  for (size_t round = 0; round < rounds; ++round) {
    Connection connection(programs_, random_);
    std::vector<HttpMessage> requests(1 + random_.number(REQUEST_PENDING));
    std::ranges::generate(requests, [&] { return random_request(random_); });
    const size_t longest = random_.one_in(3) ? 20 : random_.one_in(2) ? 200 : kLongest;
    size_t sent = 0;
    for (const std::string& segment : random_cuts(random_, joined(requests), longest)) {
      const uint32_t end = connection.next_seq(Direction::kIn) + static_cast<uint32_t>(segment.size());
      connection.send(Direction::kIn, segment);
      sent += segment.size();
      ASSERT_EQ(connection.state().arrived, visible(requests, sent))
          << "round " << round << " after " << sent << " bytes";
      ASSERT_EQ(connection.state().in.seq, end) << "round " << round;
    }
    std::vector<HttpMessage> responses(requests.size());
    std::ranges::generate(responses, [&] { return random_response(random_); });
    sent = 0;
    for (const std::string& segment : random_cuts(random_, joined(responses), longest)) {
      connection.send(Direction::kOut, segment);
      sent += segment.size();
      ASSERT_EQ(connection.state().answered, whole(responses, sent))
          << "round " << round << " after " << sent << " bytes";
    }
    answered += responses.size();
    ASSERT_EQ(connection.state().in.state, STREAM_FIRST);
    ASSERT_EQ(connection.state().out.state, STREAM_FIRST);
  }
  EXPECT_EQ(programs_.totals().durations, answered);
  EXPECT_EQ(programs_.totals().stages[REQUEST_TRANSFER], answered);
  EXPECT_EQ(programs_.totals().ended(), answered);
}

/// What one end says: mostly as it should be, or nearly.
std::string random_words(Random& random, Direction direction) {
  if (random.one_in(10)) return random_payload(random, 400);
  const HttpMessage message = direction == Direction::kIn ? random_request(random) : random_response(random);
  if (random.one_in(4)) return mutated(random, message.bytes);
  return random.one_in(4) ? message.bytes.substr(0, 1 + random.number(message.bytes.size())) : message.bytes;
}

TEST_F(FuzzConnections, EveryArrivalEndsInOneCount) {
  const size_t rounds = effort(10'000, 200);
  uint64_t arrived = 0;
  uint64_t in_flight = 0;
  for (size_t round = 0; round < rounds; ++round) {
    Connection connection(programs_, random_);
    for (uint64_t n = 1 + random_.number(20); n > 0; --n) {
      const auto direction = random_.one_in(2) ? Direction::kIn : Direction::kOut;
      // Now and then sent again, or ahead of what was lost.
      const auto distance = random_.one_in(20) ? static_cast<uint32_t>(random_.number(40)) - 20 : 0;
      connection.send(direction, random_words(random_, direction), distance);
      const request_socket& now = connection.state();
      ASSERT_LE(now.arrived - now.answered, now.arrived) << "no more answers than requests, round " << round;
    }
    const request_socket& last = connection.state();
    arrived += last.arrived;
    in_flight += last.arrived - last.answered;
  }
  const Totals totals = programs_.totals();
  EXPECT_EQ(arrived, totals.ended() + in_flight);
  EXPECT_GT(totals.durations, rounds / 2);
}

TEST_F(FuzzConnections, AWholeRequestIsCountedOnlyByItsOwnBytes) {
  const std::string request = "GET /a/path/that/is/long/enough HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
  const std::string next = "POST / HTTP/1.1\r\n\r\n";
  for (size_t cut = 1; cut < request.size() + next.size(); ++cut) {
    Connection connection(programs_, random_);
    connection.send(Direction::kIn, (request + next).substr(0, cut));
    const std::vector<HttpMessage> messages{{request, request.find('\n') + 1, 0}, {next, next.find('\n') + 1, 0}};
    EXPECT_EQ(connection.state().arrived, visible(messages, cut)) << cut;
  }
}

}  // namespace
}  // namespace manometer::test
