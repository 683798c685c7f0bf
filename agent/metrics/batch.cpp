#include "agent/metrics/batch.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace manometer::metrics {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Bytes of the well-formed UTF-8 sequence at the start of text, 0 if there is none (Unicode 15, table 3-7).
size_t utf8_length(std::string_view text) {
  const auto at = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto tail = [&](size_t i) { return (at(i) & 0xC0U) == 0x80; };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF && tail(1)) return 2;
  if (first >= 0xE0 && first <= 0xEF && tail(1) && tail(2)) {
    const bool overlong = first == 0xE0 && at(1) < 0xA0;
    const bool surrogate = first == 0xED && at(1) > 0x9F;
    return overlong || surrogate ? 0 : 3;
  }
  if (first >= 0xF0 && first <= 0xF4 && tail(1) && tail(2) && tail(3)) {
    const bool overlong = first == 0xF0 && at(1) < 0x90;
    const bool too_big = first == 0xF4 && at(1) > 0x8F;
    return overlong || too_big ? 0 : 4;
  }
  return 0;
}

}  // namespace

std::string label_value(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const std::string_view next = length > 0 ? text.substr(0, length) : kReplacement;
    if (out.size() + next.size() > kMaxLabelBytes) break;
    out += next;
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

prometheus::MetricFamily& Batch::family_of(const Metric& metric) {
  auto [it, fresh] = families_.try_emplace(metric.name);
  prometheus::MetricFamily& family = it->second;
  if (fresh) {
    family.name = metric.name;
    family.help = metric.help;
    family.type = metric.type;
  }
  return family;
}

prometheus::ClientMetric& Batch::add_series(const Metric& metric, const Labels& target, std::span<const Label> more) {
  prometheus::MetricFamily& family = family_of(metric);
  prometheus::ClientMetric& series = family.metric.emplace_back();
  series.label.reserve(target.size() + more.size());
  for (const Label& label : target) series.label.push_back({label.name, label_value(label.value)});
  for (const Label& label : more) series.label.push_back({label.name, label_value(label.value)});
  ++series_;
  return series;
}

/// The one series of the target; those of one target are added one after the other.
prometheus::ClientMetric& Batch::total_of(const Metric& metric, const Labels& target) {
  prometheus::MetricFamily& family = family_of(metric);
  const auto is_same = [](const Label& a, const Label& b) {
    return a.name == b.name && a.value == label_value(b.value);
  };
  if (!family.metric.empty() && std::ranges::equal(family.metric.back().label, target, is_same))
    return family.metric.back();
  return add_series(metric, target, {});
}

void Batch::add(const Metric& metric, const Labels& target, std::initializer_list<Label> more, double value) {
  if (!has(metric)) return;
  prometheus::ClientMetric& series = add_series(metric, target, std::span(more.begin(), more.size()));
  (metric.type == kCounter ? series.counter.value : series.gauge.value) = value;
}

void Batch::add_histogram(const Metric& metric, const Labels& target, const Labels& more,
                          std::span<const double> bounds_seconds, std::span<const uint64_t> cumulative, double sum) {
  assert(cumulative.size() == bounds_seconds.size() + 1);
  if (!has(metric)) return;
  if (profile_ == Profile::kMinimal) {
    prometheus::ClientMetric::Histogram& total = total_of(metric, target).histogram;
    total.sample_count += cumulative.back();
    total.sample_sum += sum;
    total.bucket = {{total.sample_count, std::numeric_limits<double>::infinity()}};
    return;
  }
  prometheus::ClientMetric::Histogram& histogram = add_series(metric, target, more).histogram;
  histogram.sample_count = cumulative.back();
  histogram.sample_sum = sum;
  histogram.bucket.reserve(cumulative.size());
  for (size_t i = 0; i < bounds_seconds.size(); ++i) histogram.bucket.push_back({cumulative[i], bounds_seconds[i]});
  histogram.bucket.push_back({cumulative.back(), std::numeric_limits<double>::infinity()});
}

void Batch::add_histogram(const Metric& metric, const Labels& target, const Labels& more, const Buckets& buckets,
                          const latency_histogram& counted) {
  const std::vector<uint64_t> slots(counted.counts, counted.counts + buckets.bounds_ns().size() + 1);
  add_histogram(metric, target, more, buckets.classic_seconds(), buckets.cumulative(slots), seconds(counted.sum_ns));
}

std::vector<prometheus::MetricFamily> Batch::take() {
  std::vector<prometheus::MetricFamily> out;
  out.reserve(families_.size());
  for (auto& [name, family] : families_) out.push_back(std::move(family));
  families_.clear();
  series_ = 0;
  return out;
}

}  // namespace manometer::metrics
