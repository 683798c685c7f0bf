#pragma once

#include <string>
#include <string_view>

namespace manometer::http {

/// text as one gzip member (RFC 1952), compressed for speed.
std::string gzip(std::string_view text);

}  // namespace manometer::http
