#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/jvm/pressure.h"

namespace manometer::cli {

enum class Status { kOk, kDegraded, kMissing };
std::string_view to_string(Status status);

/// One thing the agent needs or can use.
struct Finding {
  std::string name;
  Status status = Status::kOk;
  bool required = false;  // without it the variant is of no use
  std::string detail;     // what there is, or why it is not there
  std::string advice;     // what to do about it; empty if there is nothing to do
};

/// One JVM that was found.
struct JvmFinding {
  int pid = 0;  // as we see it
  std::string container;
  std::string tier;
  std::string what;    // "OpenJDK 64-Bit Server VM 17.0.15+6, G1"
  std::string pauses;  // what would tell of its pauses: "usdt", "symbols" or "counters"; empty if nothing does
  std::optional<double> overcommit;       // largest heap and the rest of its container, by the limit
  std::optional<jvm::Pressure> pressure;  // if it was measured; what is not known of it is nullopt
  std::string reason;                     // why it is not read; empty if it is
};

struct Report {
  std::string variant;
  std::vector<Finding> findings;
  std::vector<JvmFinding> jvms;

  /// True if nothing required is missing.
  bool sufficient() const;
};

std::string to_table(const Report& report);
std::string to_json(const Report& report);

}  // namespace manometer::cli
