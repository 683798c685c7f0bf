#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "agent/cli/classic_histogram.h"
#include "agent/cli/top_scrape.h"

namespace manometer::cli {

/// Quantiles of one stage; nullopt where no request came.
struct StageQuantiles {
  std::optional<Quantile> p50;
  std::optional<Quantile> p99;
};

/// The requests to one process between two scrapes. What is not known is nullopt.
struct RequestsRow {
  std::string who;  // namespace/pod/container, as far as known
  std::string pid;
  std::optional<double> per_second;
  std::optional<double> error_ratio;  // those answered with a code of 5xx, of all
  StageQuantiles queue;
  StageQuantiles processing;
  StageQuantiles transfer;
  StageQuantiles duration;
  std::optional<double> unread_seconds;
  std::optional<double> in_flight;
};

/// A row for each process whose requests are measured, JVM or not, the longest queues first. Without an earlier scrape
/// there are no rates and no quantiles.
std::vector<RequestsRow> make_requests_rows(const std::optional<TopScrape>& before, const TopScrape& now);

/// A table of at most 80 columns, ASCII only, two lines for each row; empty text without rows.
std::string draw_requests(const std::vector<RequestsRow>& rows);

/// "350us", "5.2ms", "1.3s", "2.8h": at most five characters up to 9,999 hours.
std::string human_duration(double seconds);

}  // namespace manometer::cli
