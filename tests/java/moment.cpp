#include "tests/java/moment.h"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "agent/http/scrape.h"

namespace manometer::test {
namespace {

using Clock = std::chrono::steady_clock;

bool same_state(const Report& one, const Report& other) {
  const auto same_count = [](const auto& a, const auto& b) { return a.second.count == b.second.count; };
  return std::ranges::equal(one.collectors, other.collectors, same_count) && one.threads == other.threads &&
         one.started_threads == other.started_threads && one.loaded_classes == other.loaded_classes &&
         one.unloaded_classes == other.unloaded_classes;
}

}  // namespace

double Moment::value(const std::string& name) const {
  const auto found = scraped.value(name, labels);
  if (!found) throw std::runtime_error("no " + name + " of this JVM");
  return *found;
}

Scraped fresh_scrape(const Agent& agent, const LabelMap& labels) {
  const auto start = Clock::now();
  std::optional<Scraped> last;
  eventually([&] {
    // A scrape can be as old as that, and its sample older still.
    const std::chrono::duration<double> asked_after = Clock::now() - start - http::Scrape::kReuseFor;
    const auto age = last.emplace(agent.scrape()).value("manometer_jvm_sample_age_seconds", labels);
    return age && *age < asked_after.count();
  });
  return *std::move(last);
}

Moment quiet_moment(const Agent& agent, Jvm& jvm) {
  const LabelMap labels = jvm.labels();
  std::optional<Moment> last;
  eventually([&] {
    Report before = jvm.report();
    Scraped scraped = fresh_scrape(agent, labels);
    last.emplace(Moment{std::move(before), std::move(scraped), jvm.report(), labels});
    return same_state(last->before, last->after);
  });
  return *std::move(last);
}

}  // namespace manometer::test
