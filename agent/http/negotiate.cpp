#include "agent/http/negotiate.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "agent/base/text.h"

namespace manometer::http {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, {}, [](unsigned char c) { return std::tolower(c); }, [](unsigned char c) { return std::tolower(c); });
}

/// The q parameter of one list element, 1 if it has none or a malformed one.
double weight(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = trim(take_until(parameters, ';'));
    double q = 1;
    if (parameter.starts_with("q=") && parse_number(parameter.substr(2), q)) return q;
  }
  return 1;
}

/// How much the header's list likes the named value: its largest q, 0 if it is not there.
double liking(std::string_view header, std::string_view name) {
  double best = 0;
  while (!header.empty()) {
    std::string_view element = take_until(header, ',');
    if (equal_ignoring_case(trim(take_until(element, ';')), name)) best = std::max(best, weight(element));
  }
  return best;
}

}  // namespace

bool prefers_open_metrics(std::string_view accept) {
  const double open_metrics = liking(accept, "application/openmetrics-text");
  return open_metrics > 0 && open_metrics >= liking(accept, "text/plain");
}

bool takes_gzip(std::string_view accept_encoding) {
  return liking(accept_encoding, "gzip") > 0;
}

}  // namespace manometer::http
