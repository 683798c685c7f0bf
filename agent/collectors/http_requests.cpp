#include "agent/collectors/http_requests.h"

#include <array>
#include <ctime>

namespace manometer::collectors {
namespace {

using metrics::kCounter;
using metrics::kGauge;
using metrics::kHistogram;
using metrics::kMinimal;
using metrics::Metric;
using metrics::seconds;

constexpr Metric kDuration{"manometer_http_request_duration_seconds",
                           "From the arrival of a request's first byte to the departure of its response's last.",
                           kHistogram, "method,code,protocol,route", kMinimal};
constexpr std::array kStages{
    Metric{"manometer_http_request_queue_seconds",
           "From the arrival of a request's first byte until the application reads it.", kHistogram, "", kMinimal},
    Metric{"manometer_http_request_processing_seconds",
           "From the application's first read of a request to its response's first byte out.", kHistogram},
    Metric{"manometer_http_request_transfer_seconds", "From a response's first byte out to its last.", kHistogram}};
static_assert(kStages.size() == REQUEST_STAGES);
constexpr Metric kInFlight{"manometer_http_requests_in_flight", "Requests that arrived and are not answered yet.",
                           kGauge, "", kMinimal};
constexpr Metric kOldestUnread{"manometer_http_oldest_unread_seconds",
                               "Time since the arrival of the oldest request nobody has read; 0 if there is none.",
                               kGauge, "", kMinimal};
constexpr Metric kConnections{"manometer_http_connections", "Open connections to what the process listens on.", kGauge};
constexpr Metric kQueueLength{"manometer_http_accept_queue_length", "Connections that wait to be accepted.", kGauge,
                              "port"};
constexpr Metric kQueueLimit{"manometer_http_accept_queue_limit", "Connections that may wait to be accepted.", kGauge,
                             "port"};
constexpr Metric kUnmatched{"manometer_http_unmatched_total", "Requests that have no duration, by reason.", kCounter,
                            "reason"};
constexpr Metric kEnded{"manometer_http_ended_unmatched_total",
                        "The same of processes that have ended, all together. process_ended: in flight at the end.",
                        kCounter, "reason", kMinimal};
constexpr Metric kNoRequest{"manometer_http_responses_without_request_total",
                            "Responses to no request that was seen, such as a 408 to an idle client.", kCounter};
constexpr Metric kOther{"manometer_http_series_overflow_total",
                        "Requests counted as method OTHER and code other because --max-series were in use.", kCounter};
constexpr Metric kUnattached{"manometer_http_unattached_cgroups",
                             "Cgroups of watched processes whose traffic cannot be seen.", kGauge, "", kMinimal};
constexpr std::array kMetrics{kDuration,     kStages[0],   kStages[1],   kStages[2],  kInFlight,
                              kOldestUnread, kConnections, kQueueLength, kQueueLimit, kUnmatched,
                              kEnded,        kNoRequest,   kOther,       kUnattached};

constexpr std::array<std::string_view, REQUEST_METHODS> kMethods{"OTHER",  "GET",     "HEAD",    "POST",  "PUT",
                                                                 "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};

constexpr std::array<std::string_view, REQUEST_UNMATCHED_REASONS> kReasons{
    "not_http",     "before_agent",  "pipeline_full", "out_of_order", "too_complex",
    "client_reset", "server_closed", "timed_out",     "bad_response"};

uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

metrics::Labels labels_of(const probes::RequestProbe::Series& series, const std::vector<std::string>& routes) {
  const bool other = series.code == 0;
  metrics::Labels labels{
      {"method", std::string(series.method < kMethods.size() ? kMethods[series.method] : kMethods[REQUEST_OTHER])},
      {"code", other ? "other" : std::to_string(series.code)},
      {"protocol", "http/1"}};
  if (series.route > 0 && series.route <= routes.size()) labels.push_back({"route", routes[series.route - 1]});
  return labels;
}

void add_ended(metrics::Batch& batch, const requests::Watch::Ended& ended) {
  const auto add = [&](std::string_view reason, uint64_t count) {
    batch.add(kEnded, {}, {{"reason", std::string(reason)}}, static_cast<double>(count));
  };
  for (size_t reason = 0; reason < kReasons.size(); ++reason) add(kReasons[reason], ended.unmatched[reason]);
  add("process_ended", ended.in_flight);
}

/// What the sockets of one target look like.
void add_gauges(metrics::Batch& batch, const metrics::Labels& target, const request_gauges& gauges) {
  batch.add(kInFlight, target, gauges.in_flight);
  batch.add(kConnections, target, gauges.connections);
  const uint64_t since = gauges.oldest_unread_ns;
  const uint64_t now = monotonic_ns();
  batch.add(kOldestUnread, target, since == 0 || since > now ? 0 : seconds(now - since));
}

}  // namespace

std::span<const Metric> HttpRequests::metrics() const {
  return kMetrics;
}

void HttpRequests::add_counts(metrics::Batch& batch, const metrics::Labels& target,
                              const probes::RequestProbe::Counts& counts) const {
  for (size_t stage = 0; stage < kStages.size(); ++stage)
    batch.add_histogram(kStages[stage], target, {}, stage_buckets_[stage], counts.stages[stage]);
  for (const auto& series : counts.durations)
    batch.add_histogram(kDuration, target, labels_of(series, requests_->routes()), duration_buckets_, series.histogram);
  for (size_t reason = 0; reason < kReasons.size(); ++reason) {
    batch.add(kUnmatched, target, {{"reason", std::string(kReasons[reason])}},
              static_cast<double>(counts.target.unmatched[reason]));
  }
  batch.add(kNoRequest, target, static_cast<double>(counts.target.no_request));
  batch.add(kOther, target, static_cast<double>(counts.target.other));
}

Result<void> HttpRequests::collect(metrics::Batch& batch) {
  if (requests_ == nullptr) return {};
  batch.add(kUnattached, {}, static_cast<double>(requests_->unattached()));
  add_ended(batch, requests_->ended());
  if (requests_->processes().empty()) return {};
  const auto scan = requests_->probe().scan();
  if (!scan) return scan.error();
  for (const auto& [key, process] : requests_->processes()) {
    std::map<uint16_t, std::pair<uint64_t, uint64_t>> queues;  // length and limit by port
    for (const request_listener& listener : scan->listeners) {
      if (listener.target_id != process.counts.id) continue;
      auto& [length, limit] = queues[listener.port];
      length += listener.length;
      limit += listener.limit;
    }
    const auto counts = requests_->probe().read(process.counts);
    if (!counts) return counts.error();
    const auto gauges = scan->gauges.find(process.counts.id);
    // A process that has no part in HTTP has no series.
    if (queues.empty() && gauges == scan->gauges.end() && counts->durations.empty()) continue;
    const metrics::Labels target = requests_->target(process).labels();
    for (const auto& [port, queue] : queues) {
      batch.add(kQueueLength, target, {{"port", std::to_string(port)}}, static_cast<double>(queue.first));
      batch.add(kQueueLimit, target, {{"port", std::to_string(port)}}, static_cast<double>(queue.second));
    }
    add_gauges(batch, target, gauges == scan->gauges.end() ? request_gauges{} : gauges->second);
    add_counts(batch, target, *counts);
  }
  return {};
}

}  // namespace manometer::collectors
