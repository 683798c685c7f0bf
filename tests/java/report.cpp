#include "tests/java/report.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "agent/base/text.h"

namespace manometer::test {
namespace {

struct Line {
  std::string what;
  std::string name;  // of a pool or collector
  std::vector<double> numbers;
};

Line parse_line(std::string_view text) {
  Line line{std::string(take_until(text, '\t')), {}, {}};
  if (line.what.ends_with("pool") || line.what == "collector") line.name = take_until(text, '\t');
  while (!text.empty()) {
    if (!parse_number(take_until(text, '\t'), line.numbers.emplace_back()))
      throw std::runtime_error("malformed report: " + line.what + ' ' + line.name);
  }
  return line;
}

Report::Pool to_pool(const std::vector<double>& numbers) {
  return {numbers.at(0), numbers.at(1), numbers.at(2), numbers.at(3)};
}

void put(Report& report, const Line& line) {
  const auto& numbers = line.numbers;
  if (line.what == "heap") {
    report.heap_used = numbers.at(0);
    report.heap_committed = numbers.at(1);
    report.heap_max = numbers.at(2);
  } else if (line.what == "max_memory") {
    report.max_memory = numbers.at(0);
  } else if (line.what == "heap_pool") {
    report.heap_pools[line.name] = to_pool(numbers);
  } else if (line.what == "other_pool") {
    report.other_pools[line.name] = to_pool(numbers);
  } else if (line.what == "collector") {
    report.collectors[line.name] = {numbers.at(0), numbers.at(1)};
  } else if (line.what == "threads") {
    report.threads = numbers.at(0);
    report.daemon_threads = numbers.at(1);
    report.started_threads = numbers.at(2);
  } else if (line.what == "classes") {
    report.loaded_classes = numbers.at(0);
    report.unloaded_classes = numbers.at(1);
  } else if (line.what == "jit_ms") {
    report.jit_milliseconds = numbers.at(0);
  } else {
    throw std::runtime_error("report: unknown line " + line.what);
  }
}

}  // namespace

double Report::heap_used_after_collection() const {
  double sum = 0;
  for (const auto& [name, pool] : heap_pools) sum += pool.used_after_collection;
  return sum;
}

const Report::Pool& Report::heap_pool(std::string_view ending) const {
  const auto found = std::ranges::find_if(heap_pools, [&](const auto& pool) { return pool.first.ends_with(ending); });
  if (found == heap_pools.end()) throw std::runtime_error("there is no heap pool ..." + std::string(ending));
  return found->second;
}

Report parse_report(std::string_view text) {
  Report report;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    if (line.starts_with("jvm\t")) {
      take_until(line, '\t');
      report.vm = take_until(line, '\t');
      report.java_version = take_until(line, '\t');
      report.vm_version = line;
    } else if (!line.starts_with('[')) {  // HotSpot's warnings come on standard output too
      put(report, parse_line(line));
    }
  }
  if (report.heap_pools.empty() || report.threads == 0) throw std::runtime_error("incomplete report");
  return report;
}

}  // namespace manometer::test
