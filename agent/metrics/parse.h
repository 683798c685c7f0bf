#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"

namespace manometer::metrics {

/// One line of a scrape.
struct Sample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};

/// The samples of a Prometheus text exposition, in its order; comments are skipped. An Error names the line that is
/// malformed.
Result<std::vector<Sample>> parse_prometheus_text(std::string_view text);

}  // namespace manometer::metrics
