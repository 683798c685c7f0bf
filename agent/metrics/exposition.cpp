#include "agent/metrics/exposition.h"

#include <cmath>
#include <iterator>
#include <string_view>

#include <fmt/format.h>
#include <prometheus/text_serializer.h>

namespace manometer::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

std::string_view type_name(MetricType type) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return "gauge";
    case MetricType::Summary:
      return "summary";
    case MetricType::Histogram:
      return "histogram";
    case MetricType::Untyped:
      return "unknown";
  }
  return "unknown";
}

/// Escapes what both HELP and label values must not hold as it is.
std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '\\') out += "\\\\";
    if (c == '"') out += "\\\"";
    if (c == '\n') out += "\\n";
    if (c != '\\' && c != '"' && c != '\n') out += c;
  }
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void write_line(std::string& out, std::string_view name, std::string_view suffix, const ClientMetric& series,
                double value) {
  out += name;
  out += suffix;
  char before = '{';
  for (const ClientMetric::Label& label : series.label) {
    fmt::format_to(std::back_inserter(out), "{}{}=\"{}\"", before, label.name, escaped(label.value));
    before = ',';
  }
  if (!series.label.empty()) out += '}';
  fmt::format_to(std::back_inserter(out), " {}\n", number(value));
}

void write_series(std::string& out, std::string_view name, MetricType type, const ClientMetric& series) {
  if (type == MetricType::Counter) {
    write_line(out, name, "_total", series, series.counter.value);
  } else if (type == MetricType::Summary) {
    write_line(out, name, "_count", series, static_cast<double>(series.summary.sample_count));
    write_line(out, name, "_sum", series, series.summary.sample_sum);
  } else {
    write_line(out, name, "", series, series.gauge.value);
  }
}

}  // namespace

std::string to_prometheus_text(const std::vector<MetricFamily>& families) {
  return prometheus::TextSerializer().Serialize(families);
}

std::string to_open_metrics(const std::vector<MetricFamily>& families) {
  constexpr std::string_view kTotal = "_total";
  std::string out;
  for (const MetricFamily& family : families) {
    std::string_view name = family.name;
    if (family.type == MetricType::Counter && name.ends_with(kTotal)) name.remove_suffix(kTotal.size());
    fmt::format_to(std::back_inserter(out), "# TYPE {} {}\n# HELP {} {}\n", name, type_name(family.type), name,
                   escaped(family.help));
    for (const ClientMetric& series : family.metric) write_series(out, name, family.type, series);
  }
  return out + "# EOF\n";
}

}  // namespace manometer::metrics
