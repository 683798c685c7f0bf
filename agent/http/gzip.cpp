#include "agent/http/gzip.h"

#include <limits>
#include <new>
#include <zlib.h>

namespace manometer::http {

std::string gzip(std::string_view text) {
  constexpr int kWindowBitsForGzip = 15 + 16;  // zlib.h: 16 more asks for a gzip header
  constexpr int kMemoryLevel = 8;
  z_stream stream{};
  // The only way these can fail is for want of memory.
  if (::deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kWindowBitsForGzip, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
  std::string out(::deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int code = ::deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  if (code != Z_STREAM_END) throw std::bad_alloc();
  return out;
}

}  // namespace manometer::http
