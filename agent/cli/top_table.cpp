#include "agent/cli/top_table.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include <fmt/format.h>

#include "agent/base/log.h"

namespace manometer::cli {
namespace {

TargetKey container_of(TargetKey key) {
  key.back().clear();
  return key;
}

/// Shares of time by target, from a counter of seconds in two scrapes.
Sums shares(const std::optional<TopScrape>& before, const TopScrape& now, std::string_view name) {
  if (!before) return {};
  const Sums then = sums(*before, name);
  const std::chrono::duration<double> elapsed = now.at - before->at;
  Sums out;
  for (const auto& [key, seconds] : sums(now, name)) {
    // A counter that is new since then began at 0.
    out[key] = std::max(0.0, seconds - find(then, key).value_or(0)) / elapsed.count();
  }
  return out;
}

std::string bytes_of(std::optional<double> used, std::optional<double> limit) {
  if (!used) return "-";
  return limit ? fmt::format("{}/{}", human_bytes(*used), human_bytes(*limit)) : human_bytes(*used);
}

std::string percent(std::optional<double> ratio) {
  return ratio ? fmt::format("{:.1f}", *ratio * 100) : "-";
}

}  // namespace

std::string human_bytes(double bytes) {
  constexpr double kStep = 1024;
  size_t unit = 0;
  constexpr std::string_view kUnits = "BKMGTP";
  while (bytes >= kStep && unit + 1 < kUnits.size()) {
    bytes /= kStep;
    ++unit;
  }
  // 999.5 would round to four digits.
  return bytes < 9.95 && unit > 0 ? fmt::format("{:.1f}{}", bytes, kUnits[unit])
                                  : fmt::format("{:.0f}{}", bytes, kUnits[unit]);
}

std::vector<TopRow> make_rows(const std::optional<TopScrape>& before, const TopScrape& now) {
  const Sums used = sums(now, "manometer_jvm_heap_used_bytes");
  const Sums max = sums(now, "manometer_jvm_heap_max_bytes");
  const Sums live = sums(now, "manometer_jvm_heap_live_bytes");
  const Sums memory = sums(now, "manometer_container_memory_working_set_bytes");
  const Sums limit = sums(now, "manometer_container_memory_limit_bytes");
  const Sums gc = shares(before, now, "manometer_jvm_gc_pause_seconds_sum");
  const Sums stopped = shares(before, now, "manometer_jvm_safepoint_seconds_total");
  std::vector<TopRow> rows;
  for (const metrics::Sample& sample : now.samples) {
    if (sample.name != "manometer_jvm_info") continue;
    const TargetKey key = key_of(sample);
    const TargetKey container = container_of(key);
    TopRow row{who(key),
               printable(key.back()),
               printable(label_of(sample, "collector")),
               printable(label_of(sample, "reason")),
               find(used, key),
               find(max, key),
               find(live, key),
               find(gc, key),
               find(stopped, key),
               find(memory, container),
               find(limit, container)};
    // No pause yet means no series yet.
    if (row.stop_ratio && !row.gc_ratio) row.gc_ratio = 0;
    rows.push_back(std::move(row));
  }
  std::ranges::stable_sort(rows, std::greater<>(), [](const TopRow& row) { return row.gc_ratio.value_or(0); });
  return rows;
}

std::string draw(const std::vector<TopRow>& rows) {
  constexpr size_t kWho = 18;
  constexpr size_t kPid = 8;
  constexpr size_t kCollector = 10;
  std::string out = fmt::format("{:<18} {:>8} {:<10} {:>11} {:>5} {:>5} {:>5} {:>11}\n", "CONTAINER", "PID",
                                "COLLECTOR", "HEAP/MAX", "LIVE", "GC%", "STOP%", "MEM/LIMIT");
  for (const TopRow& row : rows) {
    fmt::format_to(std::back_inserter(out), "{:<18} {:>8} ", fit(row.who, kWho), fit(row.pid, kPid));
    if (!row.reason.empty()) {
      fmt::format_to(std::back_inserter(out), "not read: {}\n", row.reason);
      continue;
    }
    fmt::format_to(std::back_inserter(out), "{:<10} {:>11} {:>5} {:>5} {:>5} {:>11}\n", fit(row.collector, kCollector),
                   bytes_of(row.used_bytes, row.max_bytes), bytes_of(row.live_bytes, std::nullopt),
                   percent(row.gc_ratio), percent(row.stop_ratio), bytes_of(row.container_bytes, row.limit_bytes));
  }
  if (rows.empty()) out += "no JVM runs here\n";
  return out;
}

}  // namespace manometer::cli
