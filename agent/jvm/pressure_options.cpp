#include "agent/jvm/pressure_options.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "agent/base/log.h"
#include "agent/base/text.h"

namespace manometer::jvm {
namespace {

constexpr double kMaxKnee = 10;
// With fewer, a sample that comes late would leave a window empty.
constexpr int kLeastSamples = 4;

struct Named {
  std::string_view name;
  Knees PressureOptions::*knees;
};
constexpr std::array kNamed{Named{"gc", &PressureOptions::gc},     Named{"stall", &PressureOptions::stall},
                            Named{"live", &PressureOptions::live}, Named{"psi", &PressureOptions::psi},
                            Named{"oom", &PressureOptions::oom},   Named{"overcommit", &PressureOptions::overcommit}};

}  // namespace

Result<void> set_knees(PressureOptions& options, std::string_view text) {
  std::string_view rest = text;
  const auto named = std::ranges::find(kNamed, take_until(rest, ':'), &Named::name);
  Knees knees;
  const bool both = parse_number(take_until(rest, ':'), knees.low) && parse_number(rest, knees.high);
  const bool ordered = knees.low >= 0 && knees.low < knees.high && knees.high <= kMaxKnee;
  if (named == kNamed.end() || !both || !ordered) {
    return Error(fmt::format(
        "'{}' is not NAME:LOW:HIGH like gc:0.1:0.4, with gc, stall, live, psi, oom or overcommit and 0 <= LOW < HIGH "
        "<= {}",
        printable(text), kMaxKnee));
  }
  options.*named->knees = knees;
  return {};
}

PressureOptions with_room_for(PressureOptions options, std::chrono::milliseconds sample_interval) {
  options.window = std::max(options.window, kLeastSamples * sample_interval);
  options.leak_window = std::max(options.leak_window, kLeakParts * kLeastSamples * sample_interval);
  return options;
}

}  // namespace manometer::jvm
