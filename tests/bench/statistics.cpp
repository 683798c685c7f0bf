#include "tests/bench/statistics.h"

#include <algorithm>
#include <cstdio>
#include <random>

#include <fmt/format.h>

namespace manometer::bench {
namespace {

constexpr size_t kResamples = 2000;

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::ranges::max_element(values.begin(), middle)) / 2;
}

Estimate estimate(const std::vector<double>& values) {
  if (values.empty()) return {};
  std::mt19937 random;  // the same numbers each time: the same measurements give the same interval
  std::uniform_int_distribution<size_t> any(0, values.size() - 1);
  std::vector<double> medians(kResamples);
  std::vector<double> resample(values.size());
  for (double& one : medians) {
    std::ranges::generate(resample, [&] { return values[any(random)]; });
    one = median(resample);
  }
  std::ranges::sort(medians);
  return {median(values), medians[kResamples / 40], medians[kResamples - 1 - kResamples / 40]};
}

void print_row(const std::string& what, const std::string& measured, const std::string& budget) {
  fmt::print("{:<66} | {:<44} | {}\n", what, measured, budget);
  std::fflush(stdout);
}

}  // namespace manometer::bench
