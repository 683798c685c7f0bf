#include "agent/metrics/parse.h"

#include <optional>

#include "agent/base/text.h"

namespace manometer::metrics {
namespace {

/// Takes a quoted value with its escapes off the front of rest; nullopt if it has no end.
std::optional<std::string> take_quoted(std::string_view& rest) {
  if (!rest.starts_with('"')) return std::nullopt;
  std::string value;
  for (size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return value;
    }
    const bool escape = rest[i] == '\\' && i + 1 < rest.size();
    if (escape) ++i;
    value += escape && rest[i] == 'n' ? '\n' : rest[i];
  }
  return std::nullopt;
}

/// {a="b",c="d"}
bool take_labels(std::string_view& rest, std::map<std::string, std::string>& labels) {
  if (!rest.starts_with('{')) return true;
  rest.remove_prefix(1);
  while (!rest.empty() && rest.front() != '}') {
    const std::string name(take_until(rest, '='));
    auto value = take_quoted(rest);
    if (!value) return false;
    labels.emplace(name, *std::move(value));
    if (rest.starts_with(',')) rest.remove_prefix(1);
  }
  if (rest.empty()) return false;
  rest.remove_prefix(1);
  return true;
}

bool parse_value(std::string_view text, double& value) {
  if (text.starts_with('+')) text.remove_prefix(1);  // "+Inf"
  return parse_number(text, value);
}

std::optional<Sample> parse_line(std::string_view line) {
  const size_t name_end = line.find_first_of("{ ");
  if (name_end == std::string_view::npos) return std::nullopt;
  Sample sample;
  sample.name = line.substr(0, name_end);
  line.remove_prefix(name_end);
  if (!take_labels(line, sample.labels) || !line.starts_with(' ')) return std::nullopt;
  line.remove_prefix(1);
  if (!parse_value(take_until(line, ' '), sample.value)) return std::nullopt;
  return sample;
}

}  // namespace

Result<std::vector<Sample>> parse_prometheus_text(std::string_view text) {
  std::vector<Sample> samples;
  while (!text.empty()) {
    const std::string_view line = take_until(text, '\n');
    if (line.empty() || line.starts_with('#')) continue;
    auto sample = parse_line(line);
    if (!sample) return Error("malformed line '" + std::string(line.substr(0, 200)) + "'");
    samples.push_back(*std::move(sample));
  }
  return samples;
}

}  // namespace manometer::metrics
