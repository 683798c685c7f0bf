#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "agent/collectors/all.h"
#include "agent/http/scrape.h"
#include "agent/jvm/watch.h"
#include "agent/probes/probes.h"
#include "tests/support/golden.h"

namespace manometer {
namespace {

std::string type_name(prometheus::MetricType type) {
  switch (type) {
    case metrics::kCounter:
      return "counter";
    case metrics::kGauge:
      return "gauge";
    case metrics::kHistogram:
      return "histogram";
    default:
      return "?";
  }
}

std::vector<metrics::Metric> all_metrics() {
  boost::asio::io_context loop;
  const auto watch = jvm::Watch::open(loop, {});
  const probes::Probes probes(loop, {.enabled = false, .proc_root = "/proc"}, {});
  const auto buckets = metrics::Buckets::make({1});
  const collectors::Sources sources{(*watch)->containers(),
                                    (*watch)->registry(),
                                    (*watch)->discovery(),
                                    (*watch)->refusals(),
                                    probes,
                                    (*watch)->pool(),
                                    *buckets,
                                    nullptr,
                                    nullptr,
                                    nullptr};
  std::vector<metrics::Metric> all;
  for (const auto& collector : collectors::make_collectors(sources))
    std::ranges::copy(collector->metrics(), std::back_inserter(all));
  std::ranges::copy(http::Scrape::own_metrics(), std::back_inserter(all));
  std::ranges::sort(all, {}, &metrics::Metric::name);
  return all;
}

std::string table() {
  std::string out = "| metric | type | labels | minimal | meaning |\n|---|---|---|---|---|\n";
  for (const metrics::Metric& metric : all_metrics()) {
    std::string labels(metric.labels);
    std::ranges::replace(labels, ',', ' ');
    fmt::format_to(std::back_inserter(out), "| `{}` | {} | {} | {} | {} |\n", metric.name, type_name(metric.type),
                   labels, metric.profile == metrics::kMinimal ? "yes" : "", metric.help);
  }
  return out;
}

TEST(MetricsReference, DocumentsExactlyWhatTheCodeHas) {
  test::expect_golden_section(test::source_path("docs/metrics.md"), "metrics", table());
}

TEST(MetricsReference, NamesAndTypesFollowTheConventions) {
  for (const metrics::Metric& metric : all_metrics()) {
    EXPECT_EQ(metric.name.ends_with("_total"), metric.type == metrics::kCounter) << metric.name;
    EXPECT_TRUE(metric.help.ends_with('.')) << metric.name;
  }
}

}  // namespace
}  // namespace manometer
