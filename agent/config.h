#pragma once

#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include "agent/base/result.h"
#include "agent/jvm/pressure_options.h"
#include "agent/limits.h"
#include "agent/metrics/batch.h"
#include "agent/metrics/buckets.h"
#include "agent/node/host_paths.h"

namespace manometer {

/// Where the agent runs (design section 5): as the node's agent it watches every JVM and needs rights to do so, as a
/// sidecar it watches those of its own user and needs none.
enum class Variant { kNode, kSidecar };

struct RunConfig {
  std::string listen = "127.0.0.1:9435";
  Variant variant = Variant::kNode;
  bool bpf = true;
  std::chrono::milliseconds sample_interval{1000};
  std::chrono::milliseconds scan_interval{10000};
  jvm::PressureOptions pressure;
  node::HostPaths host;
  /// Bounds of the classic histograms; metrics::Buckets takes them.
  std::vector<double> buckets{metrics::kDefaultClassicSeconds.begin(), metrics::kDefaultClassicSeconds.end()};
  /// Prefixes of paths whose requests are measured apart: "/api/".
  std::vector<std::string> routes;
  /// Processes watched beside the JVMs: "exe:GLOB" or "cgroup:GLOB".
  std::vector<std::string> watch;
  /// Combinations of method, code and route measured apart, per target.
  size_t max_series = 24;
  Limits limits;
  metrics::Profile profile = metrics::Profile::kDefault;
  std::string log_level = "info";
  bool stop_with_stdin = false;
};

struct CheckConfig {
  Variant variant = Variant::kNode;
  bool json = false;
  std::chrono::milliseconds measure{0};  // how long memory pressure is measured; 0: it is not
  jvm::PressureOptions pressure;
  node::HostPaths host;
};

struct TopConfig {
  std::string agent = "127.0.0.1:9435";
  std::chrono::milliseconds interval{2000};
  bool once = false;
};

/// Text to print, after which there is nothing to do: --help, --version.
struct PrintConfig {
  std::string text;
};

using Config = std::variant<RunConfig, CheckConfig, TopConfig, PrintConfig>;

/// From the command line, and from MANOMETER_* for what is not on it. An Error names the flag and what it takes.
Result<Config> parse_config(int argc, const char* const* argv);

}  // namespace manometer
