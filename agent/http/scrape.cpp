#include "agent/http/scrape.h"

#include <array>

#include "agent/http/gzip.h"
#include "agent/http/negotiate.h"
#include "agent/metrics/exposition.h"

namespace manometer::http {
namespace {

using boost::beast::http::field;
using boost::beast::http::status;
using metrics::kCounter;
using metrics::kGauge;
using metrics::kMinimal;
using metrics::Metric;

constexpr Metric kDuration{"manometer_collector_duration_seconds", "Time the collector took for this scrape.", kGauge,
                           "collector", kMinimal};
constexpr Metric kSuccess{"manometer_collector_success", "1 if the collector met no error in this scrape.", kGauge,
                          "collector", kMinimal};
constexpr Metric kEvicted{"manometer_scrape_connections_evicted_total",
                          "Connections to the agent cut off to make room for others.", kCounter, "", kMinimal};
constexpr std::array kMetrics{kDuration, kSuccess, kEvicted};

std::string_view header(const Request& request, field name) {
  const auto value = request[name];
  return {value.data(), value.size()};
}

}  // namespace

std::span<const Metric> Scrape::own_metrics() {
  return kMetrics;
}

Response Scrape::respond(const Request& request) {
  const std::string_view target(request.target().data(), request.target().size());
  const std::string_view path = target.substr(0, target.find('?'));
  if (path == "/metrics") return metrics(request);
  if (path == "/healthz") return make_response(request, status::ok, "text/plain", "ok\n");
  if (path == "/readyz") {
    const bool ready = ready_();
    return make_response(request, ready ? status::ok : status::service_unavailable, "text/plain",
                         ready ? "ready\n" : "the first look at the node is not finished\n");
  }
  return make_response(request, status::not_found, "text/plain", "there are /metrics, /healthz and /readyz\n");
}

Response Scrape::metrics(const Request& request) {
  const bool open_metrics = prefers_open_metrics(header(request, field::accept));
  const bool compressed = takes_gzip(header(request, field::accept_encoding));
  collect();
  Response response = make_response(request, status::ok,
                                    open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                                 : "text/plain; version=0.0.4; charset=utf-8",
                                    body(open_metrics, compressed));
  response.set(field::vary, "Accept, Accept-Encoding");
  if (compressed) response.set(field::content_encoding, "gzip");
  return response;
}

void Scrape::collect() {
  const TimePoint now = std::chrono::steady_clock::now();
  if (!families_.empty() && now - collected_at_ < kReuseFor) return;
  metrics::Batch batch(profile_);
  for (const auto& collector : collectors_) run(*collector, batch);
  batch.add(kEvicted, {}, static_cast<double>(server_.evicted()));
  collected_at_ = now;
  families_ = batch.take();
  bodies_.clear();
}

void Scrape::run(collectors::Collector& collector, metrics::Batch& batch) {
  const TimePoint start = std::chrono::steady_clock::now();
  const auto collected = collector.collect(batch);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const std::string name(collector.name());
  if (!collected) log_.warn("collector " + name, name + ": " + printable(collected.error().message()));
  batch.add(kDuration, {}, {{"collector", name}}, took.count());
  batch.add(kSuccess, {}, {{"collector", name}}, collected ? 1 : 0);
}

const std::string& Scrape::body(bool open_metrics, bool compressed) {
  auto [it, fresh] = bodies_.try_emplace({open_metrics, compressed});
  if (fresh) {
    it->second = open_metrics ? metrics::to_open_metrics(families_) : metrics::to_prometheus_text(families_);
    if (compressed) it->second = gzip(it->second);
  }
  return it->second;
}

}  // namespace manometer::http
