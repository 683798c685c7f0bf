#pragma once

#include <string>
#include <vector>

namespace manometer::bench {

/// A median, and the interval that it is in with 95 % confidence (percentile bootstrap).
struct Estimate {
  double median = 0;
  double low = 0;
  double high = 0;
};

double median(std::vector<double> values);
Estimate estimate(const std::vector<double>& values);

/// One line of the table: what was measured, the result, the budget of design section 7.
void print_row(const std::string& what, const std::string& measured, const std::string& budget = "-");

}  // namespace manometer::bench
