#pragma once
// What parsers of kernel files need.

#include <charconv>
#include <string_view>
#include <system_error>

namespace manometer {

/// Takes the text up to the first separator off the front of rest, and the separator with it; all of it if there is
/// none.
inline std::string_view take_until(std::string_view& rest, char separator) {
  const size_t end = rest.find(separator);
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return taken;
}

/// True if one of the words between the separators is this one.
inline bool has_word(std::string_view text, char separator, std::string_view word) {
  while (!text.empty()) {
    if (take_until(text, separator) == word) return true;
  }
  return false;
}

/// True if the whole text is one number that fits T.
template <typename T>
bool parse_number(std::string_view text, T& value, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

inline bool parse_number(std::string_view text, double& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace manometer
