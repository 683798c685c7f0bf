#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace manometer::test {

/// Finds where an HTTP/1.1 response ends: by its length, its last chunk, or the end of the connection. Takes the bytes
/// as they come. Servers of ours are trusted: what is malformed throws.
class ResponseParser {
 public:
  /// A response to HEAD has no body, whatever its headers say.
  void start(bool to_head);
  /// Takes bytes; true when the response is complete. Throws if there are more bytes than that.
  bool feed(std::string_view bytes);
  /// True if the end of the connection makes the response complete.
  bool complete_at_end() const { return state_ == State::kUntilEnd; }

  int status() const { return status_; }
  /// The server will close the connection.
  bool closes() const { return closes_ || state_ == State::kUntilEnd; }

 private:
  enum class State { kHead, kBody, kUntilEnd, kChunkSize, kChunk, kTrailer, kDone };

  void take_head(std::string_view& bytes);
  void take_header(std::string_view line);
  void take_body(std::string_view& bytes, State after);
  void take_chunk_size(std::string_view& bytes);
  void take_trailer(std::string_view& bytes);
  bool take_line(std::string_view& bytes);
  State after_head() const;

  State state_ = State::kHead;
  bool to_head_ = false;
  bool closes_ = false;
  bool chunked_ = false;
  bool has_length_ = false;
  int status_ = 0;
  uint64_t left_ = 0;  // bytes of the body or chunk
  std::string text_;   // of the head or line that is not whole yet
};

}  // namespace manometer::test
