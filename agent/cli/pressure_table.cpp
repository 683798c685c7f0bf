#include "agent/cli/pressure_table.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "agent/base/log.h"

namespace manometer::cli {
namespace {

constexpr std::array kComponents{"gc", "stall", "live", "psi", "oom"};

std::string ratio(std::optional<double> value) {
  return value ? fmt::format("{:.2f}", *value) : "-";
}

std::string yes_or_no(std::optional<bool> value) {
  if (!value) return "-";
  return *value ? "yes" : "no";
}

}  // namespace

std::vector<PressureRow> make_pressure_rows(const TopScrape& now) {
  const Sums load = sums(now, "manometer_jvm_memory_pressure_load_ratio");
  const Sums index = sums(now, "manometer_jvm_memory_pressure_ratio");
  const Sums overcommit = sums(now, "manometer_jvm_heap_limit_overcommit_ratio");
  const Sums leak = sums(now, "manometer_jvm_leak_suspected");
  std::array<Sums, kComponents.size()> components;
  for (size_t i = 0; i < kComponents.size(); ++i) {
    components[i] = sums(now, "manometer_jvm_memory_pressure_component_ratio", [&](const metrics::Sample& sample) {
      return label_of(sample, "component") == kComponents[i];
    });
  }
  std::vector<PressureRow> rows;
  for (const metrics::Sample& sample : now.samples) {
    if (sample.name != "manometer_jvm_info" || !label_of(sample, "reason").empty()) continue;
    const TargetKey key = key_of(sample);
    PressureRow row{who(key), printable(key.back()), find(load, key), find(index, key), {}, find(overcommit, key), {}};
    if (const auto suspected = find(leak, key)) row.leak = *suspected != 0;
    for (size_t i = 0; i < kComponents.size(); ++i) row.components[i] = find(components[i], key);
    rows.push_back(std::move(row));
  }
  std::ranges::stable_sort(rows, std::greater<>(), [](const PressureRow& row) { return row.index.value_or(-1); });
  return rows;
}

std::string draw_pressure(const std::vector<PressureRow>& rows) {
  if (rows.empty()) return "";
  constexpr size_t kWho = 18;
  constexpr size_t kPid = 8;
  std::string out = "MEMORY PRESSURE (0 to 1; scale on LOAD, alert on the rest; -: not known yet)\n";
  out += fmt::format("{:<18} {:>8} {:>5} {:>5} {:>5} {:>5} {:>5} {:>5} {:>5} {:>5} {:>4}\n", "CONTAINER", "PID", "LOAD",
                     "INDEX", "GC", "STALL", "LIVE", "PSI", "OOM", "OVER", "LEAK");
  for (const PressureRow& row : rows) {
    const auto line = std::back_inserter(out);
    fmt::format_to(line, "{:<18} {:>8} {:>5} {:>5}", fit(row.who, kWho), fit(row.pid, kPid), ratio(row.load),
                   ratio(row.index));
    for (const auto& component : row.components) fmt::format_to(line, " {:>5}", ratio(component));
    fmt::format_to(line, " {:>5} {:>4}\n", ratio(row.overcommit), yes_or_no(row.leak));
  }
  return out;
}

}  // namespace manometer::cli
