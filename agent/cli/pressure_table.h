#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "agent/cli/top_scrape.h"

namespace manometer::cli {

/// How short of memory one JVM is, as `manometer top` shows it. What is not known is nullopt.
struct PressureRow {
  std::string who;  // namespace/pod/container, as far as known
  std::string pid;
  std::optional<double> load;
  std::optional<double> index;
  std::array<std::optional<double>, 5> components;  // gc, stall, live, psi, oom
  std::optional<double> overcommit;
  std::optional<bool> leak;  // suspected
};

/// A row for each JVM that is read, the highest pressure first.
std::vector<PressureRow> make_pressure_rows(const TopScrape& now);

/// A table of at most 80 columns, ASCII only; empty text without rows.
std::string draw_pressure(const std::vector<PressureRow>& rows);

}  // namespace manometer::cli
