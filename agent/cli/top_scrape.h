#pragma once
// What the tables of `manometer top` have in common: samples, and who they are about.

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/types.h"
#include "agent/metrics/parse.h"

namespace manometer::cli {

/// What one scrape says, and when it was taken.
struct TopScrape {
  std::vector<metrics::Sample> samples;
  TimePoint at;
};

/// Who a sample is about: namespace, pod, container, pid. Empty where it is not known.
using TargetKey = std::array<std::string, 4>;

/// Value of a label, as it was sent; empty if the sample has none.
std::string label_of(const metrics::Sample& sample, const char* name);
TargetKey key_of(const metrics::Sample& sample);

/// Sums of samples, by target.
using Sums = std::map<TargetKey, double>;
using SampleFilter = std::function<bool(const metrics::Sample&)>;

/// Sums of the samples with one name, and of those only that pass the filter if there is one.
Sums sums(const TopScrape& scrape, std::string_view name, const SampleFilter& filter = {});
std::optional<double> find(const Sums& sums, const TargetKey& key);

/// "namespace/pod/container" as far as known, printable; "-" if nothing is.
std::string who(const TargetKey& key);
/// At most width characters; of a long name the end tells more than the start.
std::string fit(const std::string& text, size_t width);

}  // namespace manometer::cli
