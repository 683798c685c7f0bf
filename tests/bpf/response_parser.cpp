#include "tests/bpf/response_parser.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace manometer::test {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";

uint64_t parse_number(std::string_view text, int base) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end == text.data()) throw std::runtime_error("not a number: " + std::string(text));
  return value;
}

/// The value of a header if the line is that header; `name` is lower case and ends in a colon.
std::string_view header_value(std::string_view line, std::string_view name) {
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; };
  if (line.size() < name.size() ||
      !std::equal(name.begin(), name.end(), line.begin(), [&](char b, char a) { return same(a, b); }))
    return {};
  line.remove_prefix(std::min(line.find_first_not_of(' ', name.size()), line.size()));
  return line;
}

}  // namespace

void ResponseParser::start(bool to_head) {
  state_ = State::kHead;
  to_head_ = to_head;
  closes_ = chunked_ = has_length_ = false;
  left_ = 0;
  text_.clear();
}

bool ResponseParser::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    switch (state_) {
      case State::kHead:
        take_head(bytes);
        break;
      case State::kBody:
        take_body(bytes, State::kDone);
        break;
      case State::kUntilEnd:
        return false;
      case State::kChunkSize:
        take_chunk_size(bytes);
        break;
      case State::kChunk:
        take_body(bytes, State::kChunkSize);
        break;
      case State::kTrailer:
        take_trailer(bytes);
        break;
      case State::kDone:
        throw std::runtime_error("bytes after the response: " + std::string(bytes.substr(0, 80)));
    }
  }
  return state_ == State::kDone;
}

void ResponseParser::take_head(std::string_view& bytes) {
  const size_t before = text_.size();
  text_.append(bytes);
  const size_t end = text_.find(kHeadEnd, before < kHeadEnd.size() ? 0 : before - kHeadEnd.size());
  if (end == std::string::npos) return bytes.remove_prefix(bytes.size());
  bytes.remove_prefix(end + kHeadEnd.size() - before);
  constexpr size_t kStatusAt = std::string_view("HTTP/1.1 ").size();
  const std::string_view head(text_.data(), end + kLineEnd.size());
  if (!head.starts_with("HTTP/1.")) throw std::runtime_error("not a response: " + text_.substr(0, 80));
  status_ = static_cast<int>(parse_number(head.substr(kStatusAt), 10));
  for (size_t at = head.find(kLineEnd) + kLineEnd.size(); at < head.size();) {
    const size_t line_end = head.find(kLineEnd, at);
    take_header(head.substr(at, line_end - at));
    at = line_end + kLineEnd.size();
  }
  text_.clear();
  state_ = after_head();
}

void ResponseParser::take_header(std::string_view line) {
  if (const auto length = header_value(line, "content-length:"); !length.empty()) {
    left_ = parse_number(length, 10);
    has_length_ = true;
  }
  if (header_value(line, "transfer-encoding:") == "chunked") chunked_ = true;
  if (header_value(line, "connection:") == "close") closes_ = true;
}

ResponseParser::State ResponseParser::after_head() const {
  constexpr int kOk = 200;
  constexpr int kNoContent = 204;
  constexpr int kNotModified = 304;
  if (status_ < kOk) return State::kHead;  // the real one follows
  if (to_head_ || status_ == kNoContent || status_ == kNotModified) return State::kDone;
  if (chunked_) return State::kChunkSize;
  if (!has_length_) return State::kUntilEnd;
  return left_ > 0 ? State::kBody : State::kDone;
}

void ResponseParser::take_body(std::string_view& bytes, State after) {
  const auto taken = std::min<uint64_t>(left_, bytes.size());
  left_ -= taken;
  bytes.remove_prefix(taken);
  if (left_ == 0) state_ = after;
}

/// Takes up to the end of a line into text_; false if it is not whole yet.
bool ResponseParser::take_line(std::string_view& bytes) {
  const size_t end = bytes.find('\n');
  const size_t taken = end == std::string_view::npos ? bytes.size() : end + 1;
  text_.append(bytes.substr(0, taken));
  bytes.remove_prefix(taken);
  return end != std::string_view::npos;
}

void ResponseParser::take_chunk_size(std::string_view& bytes) {
  if (!take_line(bytes)) return;
  const uint64_t size = parse_number(text_, 16);
  text_.clear();
  state_ = size == 0 ? State::kTrailer : State::kChunk;
  left_ = size + kLineEnd.size();
}

void ResponseParser::take_trailer(std::string_view& bytes) {
  if (!take_line(bytes)) return;
  if (text_ == kLineEnd) state_ = State::kDone;
  text_.clear();
}

}  // namespace manometer::test
