#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "agent/base/log.h"
#include "agent/base/types.h"
#include "agent/collectors/collector.h"
#include "agent/http/server.h"

namespace manometer::http {

/// Answers /metrics, /healthz and /readyz.
class Scrape {
 public:
  /// However often it is asked for, /metrics is made anew at most this often.
  static constexpr std::chrono::milliseconds kReuseFor{200};

  /// ready: whether the first values are there. server and log must outlive it.
  Scrape(std::vector<std::unique_ptr<collectors::Collector>> collectors, std::function<bool()> ready,
         const Server& server, LogOnce& log, metrics::Profile profile = metrics::Profile::kDefault)
      : profile_(profile), collectors_(std::move(collectors)), ready_(std::move(ready)), server_(server), log_(log) {}

  Response respond(const Request& request);

  /// What it adds to what the collectors have.
  static std::span<const metrics::Metric> own_metrics();

 private:
  Response metrics(const Request& request);
  void collect();
  void run(collectors::Collector& collector, metrics::Batch& batch);
  const std::string& body(bool open_metrics, bool gzip);

  metrics::Profile profile_;
  std::vector<std::unique_ptr<collectors::Collector>> collectors_;
  std::function<bool()> ready_;
  const Server& server_;
  LogOnce& log_;
  TimePoint collected_at_;
  std::vector<prometheus::MetricFamily> families_;
  std::map<std::pair<bool, bool>, std::string> bodies_;  // of families_, by open_metrics and gzip
};

}  // namespace manometer::http
