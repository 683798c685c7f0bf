#include "tests/java/gc_log.h"

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <string>

#include "agent/base/text.h"

namespace manometer::test {
namespace {

/// What follows `before` in the line.
std::optional<std::string_view> after(std::string_view line, std::string_view before) {
  const size_t at = line.find(before);
  if (at == std::string_view::npos) return std::nullopt;
  return line.substr(at + before.size());
}

double number_after(std::string_view line, std::string_view before) {
  auto rest = after(line, before);
  double value = 0;
  if (!rest || !parse_number(rest->substr(0, rest->find_first_not_of("0123456789.")), value))
    throw std::runtime_error("no number after '" + std::string(before) + "' in '" + std::string(line) + "'");
  return value;
}

/// Names of VM operations: "G1CollectForAllocation", "ZMarkStart" (21 also has it as XMarkStart), "CGC_Operation".
bool is_gc_operation(std::string_view name) {
  constexpr std::array kBeginnings{"Z", "X", "G1", "CMS", "Shenandoah"};
  return name.find("Collect") != std::string_view::npos || name.find("GC") != std::string_view::npos ||
         std::ranges::any_of(kBeginnings, [&](const char* beginning) { return name.starts_with(beginning); });
}

/// JDK 8 prints a line of the collection before that of the stop, and has lines of concurrent work that look alike.
bool is_old_gc_line(std::string_view line) {
  const bool pause = line.find("[GC ") != std::string_view::npos || line.find("[Full GC ") != std::string_view::npos;
  return pause && line.find("[GC concurrent") == std::string_view::npos;
}

/// Shenandoah's, for want of memory.
bool is_pause_line(std::string_view line) {
  return line.find("Pause Degenerated GC") != std::string_view::npos ||
         line.find("Pause Full") != std::string_view::npos;
}

}  // namespace

std::vector<Safepoint> parse_safepoints(std::string_view log) {
  constexpr double kNanosecond = 1e-9;
  std::vector<Safepoint> safepoints;
  bool gc = false;  // the stop whose end comes next is for a collection
  while (!log.empty()) {
    const std::string_view line = take_until(log, '\n');
    if (const auto name = after(line, "Safepoint \"")) {  // JDK 13 and newer: all in one line
      safepoints.push_back({is_gc_operation(name->substr(0, name->find('"'))),
                            number_after(line, " Total: ") * kNanosecond,
                            number_after(line, "Reaching safepoint: ") * kNanosecond});
    } else if (const auto operation = after(line, "Entering safepoint region: ")) {
      gc = is_gc_operation(*operation);
    } else if (line.find("threads were stopped: ") != std::string_view::npos) {
      safepoints.push_back({gc, number_after(line, "stopped: "), number_after(line, "took: ")});
      gc = false;
    } else if (is_old_gc_line(line)) {
      gc = true;
    }
  }
  return safepoints;
}

std::vector<Stall> parse_stalls(std::string_view log) {
  constexpr double kMillisecond = 1e-3;
  constexpr double kNanosecond = 1e-9;
  std::vector<Stall> stalls;
  double began = 0;
  bool collected = false;
  while (!log.empty()) {
    const std::string_view line = take_until(log, '\n');
    const auto thread = after(line, "Allocation Stall (");
    if (thread && line.ends_with("ms")) {
      const double seconds = number_after(*thread, ") ") * kMillisecond;
      stalls.push_back({seconds, seconds});
    } else if (line.find("Failed to allocate") != std::string_view::npos) {
      stalls.emplace_back();
      began = number_after(line, "[");
      collected = false;
    } else if (began > 0 && is_pause_line(line)) {
      const double seconds = (number_after(line, "[") - began) * kNanosecond;
      // Who was woken may run, and fail again, before the line below is written.
      stalls.back() = {seconds, seconds};
      collected = true;
    } else if (collected && line.find("Free: ") != std::string_view::npos) {
      stalls.back().at_most_seconds = (number_after(line, "[") - began) * kNanosecond;
      collected = false;
    }
  }
  return stalls;
}

}  // namespace manometer::test
