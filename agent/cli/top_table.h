#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/cli/top_scrape.h"

namespace manometer::cli {

/// One JVM as `manometer top` shows it. What is not known is nullopt.
struct TopRow {
  std::string who;  // namespace/pod/container, as far as known
  std::string pid;
  std::string collector;
  std::string reason;  // why it is not read; empty if it is
  std::optional<double> used_bytes;
  std::optional<double> max_bytes;
  std::optional<double> live_bytes;
  std::optional<double> gc_ratio;    // share of the time between two scrapes in GC pauses
  std::optional<double> stop_ratio;  // the same in all safepoints
  std::optional<double> container_bytes;
  std::optional<double> limit_bytes;
};

/// The rows of the later scrape, those with the largest share of GC first. Without an earlier one there are no shares.
std::vector<TopRow> make_rows(const std::optional<TopScrape>& before, const TopScrape& now);

/// A table of at most 80 columns, ASCII only, whatever names the containers gave themselves.
std::string draw(const std::vector<TopRow>& rows);

/// "512M": at most five characters, three of them digits that count.
std::string human_bytes(double bytes);

}  // namespace manometer::cli
