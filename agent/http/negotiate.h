#pragma once

#include <string_view>

namespace manometer::http {

/// True if the client likes the OpenMetrics format at least as much as plain text (RFC 9110, Accept).
bool prefers_open_metrics(std::string_view accept);

/// True if the client takes gzip (RFC 9110, Accept-Encoding).
bool takes_gzip(std::string_view accept_encoding);

}  // namespace manometer::http
