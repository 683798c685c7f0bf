#include "agent/cli/requests_table.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "agent/base/log.h"
#include "agent/base/text.h"

namespace manometer::cli {
namespace {

constexpr std::string_view kDurationCount = "manometer_http_request_duration_seconds_count";

using Histograms = std::map<TargetKey, ClassicHistogram>;

std::optional<double> parse_le(const std::string& text) {
  if (text == "+Inf") return std::numeric_limits<double>::infinity();
  double le = 0;
  return parse_number(std::string_view(text), le) && le > 0 ? std::optional(le) : std::nullopt;
}

/// What came in a stage between the scrapes, over all other labels.
Histograms stage(const std::optional<TopScrape>& before, const TopScrape& now, std::string_view name) {
  const std::string bucket = fmt::format("manometer_http_request_{}_seconds_bucket", name);
  const auto read = [&](const TopScrape& scrape) {
    Histograms out;
    for (const metrics::Sample& sample : scrape.samples) {
      if (sample.name != bucket) continue;
      if (const auto le = parse_le(label_of(sample, "le"))) out[key_of(sample)].add(*le, sample.value);
    }
    return out;
  };
  if (!before) return {};
  Histograms then = read(*before);
  Histograms out = read(now);
  for (auto& [key, histogram] : out) histogram = histogram.since(then[key]);
  return out;
}

/// How much counters grew between the scrapes; one that fell was restarted from 0.
Sums growth(const std::optional<TopScrape>& before, const TopScrape& now, std::string_view name,
            const SampleFilter& filter = {}) {
  if (!before) return {};
  const Sums then = sums(*before, name, filter);
  Sums out = sums(now, name, filter);
  for (auto& [key, value] : out) {
    const double earlier = find(then, key).value_or(0);
    value -= earlier <= value ? earlier : 0;
  }
  return out;
}

bool is_server_error(const metrics::Sample& sample) {
  const std::string code = label_of(sample, "code");
  return code.size() == 3 && code.front() == '5';
}

StageQuantiles quantiles(const Histograms& stage, const TargetKey& key) {
  const auto found = stage.find(key);
  if (found == stage.end()) return {};
  return {found->second.quantile(0.5), found->second.quantile(0.99)};
}

std::set<TargetKey> targets(const TopScrape& scrape) {
  std::set<TargetKey> out;
  for (const metrics::Sample& sample : scrape.samples) {
    const bool about_requests = sample.name == "manometer_http_requests_in_flight" ||
                                sample.name == "manometer_http_oldest_unread_seconds" ||
                                sample.name.starts_with("manometer_http_request_");
    if (about_requests) out.insert(key_of(sample));
  }
  return out;
}

/// Without what no agent of ours says, but another may.
std::optional<double> finite(std::optional<double> value) {
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::string count(std::optional<double> value) {
  return finite(value) ? fmt::format("{:.0f}", *value) : "-";
}

std::string rate(std::optional<double> per_second) {
  if (!finite(per_second)) return "-";
  if (*per_second >= 999'999.5) return fmt::format("{:.1f}M", *per_second / 1e6);
  return *per_second < 999.95 ? fmt::format("{:.1f}", *per_second) : fmt::format("{:.0f}", *per_second);
}

std::string percent(std::optional<double> ratio) {
  if (!finite(ratio)) return "-";
  return *ratio < 0.9995 ? fmt::format("{:.1f}", *ratio * 100) : "100";
}

std::string duration(std::optional<double> seconds) {
  return finite(seconds) ? human_duration(*seconds) : "-";
}

std::string duration(const std::optional<Quantile>& quantile) {
  if (!quantile) return "-";
  return (quantile->below ? "<" : "") + duration(quantile->seconds);
}

/// A line of cells, one below the other for all lines; cells at the end may be missing.
void write_line(std::string& out, const std::string& who, const std::vector<std::string>& cells) {
  constexpr size_t kWho = 19;
  constexpr std::array<size_t, 9> kWidths{6, 4, 3, 6, 6, 6, 6, 6, 9};
  std::string line = fmt::format("{:<{}}", fit(who, kWho), kWho);
  for (size_t i = 0; i < cells.size(); ++i)
    fmt::format_to(std::back_inserter(line), " {:>{}}", fit(cells[i], kWidths[i]), kWidths[i]);
  out += line + '\n';
}

}  // namespace

std::string human_duration(double seconds) {
  struct Unit {
    double seconds;
    std::string_view name;
    double end;  // what would take more digits goes to the next
  };
  constexpr std::array kUnits{Unit{1e-6, "us", 999.5}, Unit{1e-3, "ms", 999.5}, Unit{1, "s", 9999.5}};
  constexpr Unit kHours{3600, "h", std::numeric_limits<double>::infinity()};
  if (seconds == 0) return "0";
  const auto* const fitting =
      std::ranges::find_if(kUnits, [&](const Unit& unit) { return seconds / unit.seconds < unit.end; });
  const Unit& unit = fitting == kUnits.end() ? kHours : *fitting;
  const double value = seconds / unit.seconds;
  return value < 9.95 ? fmt::format("{:.1f}{}", value, unit.name) : fmt::format("{:.0f}{}", value, unit.name);
}

std::vector<RequestsRow> make_requests_rows(const std::optional<TopScrape>& before, const TopScrape& now) {
  const Histograms queue = stage(before, now, "queue");
  const Histograms processing = stage(before, now, "processing");
  const Histograms transfer = stage(before, now, "transfer");
  const Histograms whole = stage(before, now, "duration");
  const Sums requests = growth(before, now, kDurationCount);
  const Sums errors = growth(before, now, kDurationCount, is_server_error);
  const Sums unread = sums(now, "manometer_http_oldest_unread_seconds");
  const Sums in_flight = sums(now, "manometer_http_requests_in_flight");
  const std::chrono::duration<double> elapsed = before ? now.at - before->at : std::chrono::duration<double>(0);
  std::vector<RequestsRow> rows;
  for (const TargetKey& key : targets(now)) {
    RequestsRow row{who(key),
                    printable(key.back()),
                    std::nullopt,
                    std::nullopt,
                    quantiles(queue, key),
                    quantiles(processing, key),
                    quantiles(transfer, key),
                    quantiles(whole, key),
                    find(unread, key),
                    find(in_flight, key)};
    // No request yet means no series yet.
    const double came = find(requests, key).value_or(0);
    if (before) row.per_second = came / elapsed.count();
    if (came > 0) row.error_ratio = find(errors, key).value_or(0) / came;
    rows.push_back(std::move(row));
  }
  std::ranges::stable_sort(rows, std::greater<>(), [](const RequestsRow& row) {
    return row.queue.p99.value_or(Quantile{-1, true}).seconds;
  });
  return rows;
}

std::string draw_requests(const std::vector<RequestsRow>& rows) {
  if (rows.empty()) return "";
  std::string out = "REQUESTS (quantiles are interpolated within buckets, as by histogram_quantile)\n";
  write_line(out, "CONTAINER, PID", {"REQ/S", "ERR%", "", "QUEUE", "PROC", "XFER", "TOTAL", "UNREAD", "IN FLIGHT"});
  for (const RequestsRow& row : rows) {
    write_line(
        out, row.who,
        {rate(row.per_second), percent(row.error_ratio), "p50", duration(row.queue.p50), duration(row.processing.p50),
         duration(row.transfer.p50), duration(row.duration.p50), duration(row.unread_seconds), count(row.in_flight)});
    write_line(out, row.pid.empty() ? "" : "pid " + row.pid,
               {"", "", "p99", duration(row.queue.p99), duration(row.processing.p99), duration(row.transfer.p99),
                duration(row.duration.p99)});
  }
  return out;
}

}  // namespace manometer::cli
