#include "agent/cli/top_scrape.h"

#include "agent/base/log.h"

namespace manometer::cli {

std::string label_of(const metrics::Sample& sample, const char* name) {
  const auto found = sample.labels.find(name);
  return found == sample.labels.end() ? "" : found->second;
}

TargetKey key_of(const metrics::Sample& sample) {
  return {label_of(sample, "namespace"), label_of(sample, "pod"), label_of(sample, "container"),
          label_of(sample, "pid")};
}

Sums sums(const TopScrape& scrape, std::string_view name, const SampleFilter& filter) {
  Sums out;
  for (const metrics::Sample& sample : scrape.samples) {
    if (sample.name == name && (!filter || filter(sample))) out[key_of(sample)] += sample.value;
  }
  return out;
}

std::optional<double> find(const Sums& sums, const TargetKey& key) {
  const auto found = sums.find(key);
  return found == sums.end() ? std::nullopt : std::optional(found->second);
}

std::string who(const TargetKey& key) {
  const auto& [namespace_name, pod, container, pid] = key;
  std::string out;
  for (const std::string& part : {namespace_name, pod, container}) {
    if (!part.empty()) out += (out.empty() ? "" : "/") + printable(part);
  }
  return out.empty() ? "-" : out;
}

std::string fit(const std::string& text, size_t width) {
  return text.size() <= width ? text : ".." + text.substr(text.size() - (width - 2));
}

}  // namespace manometer::cli
