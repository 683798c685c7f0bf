#include "tests/support/agent.h"

#include <algorithm>
#include <stdexcept>

#include "agent/http/client.h"

namespace manometer::test {
namespace {

bool has_labels(const metrics::Sample& sample, const LabelMap& labels) {
  return std::ranges::all_of(labels, [&](const auto& label) {
    const auto found = sample.labels.find(label.first);
    return found != sample.labels.end() && found->second == label.second;
  });
}

std::vector<std::string> command(const std::vector<std::string>& arguments, std::vector<std::string> out) {
  out.insert(out.end(), {agent_binary(), "run", "--listen", "127.0.0.1:0"});
  out.insert(out.end(), arguments.begin(), arguments.end());
  return out;
}

/// Reads the log up to the line that tells the port, and adds what comes before.
std::string wait_for_address(Child& child, std::string& log) {
  constexpr std::string_view kListening = "listening on ";
  while (const auto line = child.read_error_line()) {
    const size_t at = line->find(kListening);
    if (at != std::string::npos) return line->substr(at + kListening.size());
    log += *line + '\n';
  }
  throw std::runtime_error("the agent does not listen:\n" + log);
}

}  // namespace

std::string agent_binary() {
  return MANOMETER_AGENT_BINARY;
}

std::vector<metrics::Sample> Scraped::all(const std::string& name, const LabelMap& labels) const {
  std::vector<metrics::Sample> out;
  std::ranges::copy_if(samples_, std::back_inserter(out), [&](const metrics::Sample& sample) {
    return sample.name == name && has_labels(sample, labels);
  });
  return out;
}

std::vector<metrics::Sample> Scraped::all_with(const std::string& label) const {
  std::vector<metrics::Sample> out;
  std::ranges::copy_if(samples_, std::back_inserter(out),
                       [&](const metrics::Sample& sample) { return sample.labels.contains(label); });
  return out;
}

std::optional<double> Scraped::value(const std::string& name, const LabelMap& labels) const {
  const auto found = all(name, labels);
  if (found.empty()) return std::nullopt;
  if (found.size() > 1) throw std::runtime_error(name + " has more than one such series");
  return found.front().value;
}

double Scraped::sum(const std::string& name, const LabelMap& labels) const {
  double total = 0;
  for (const metrics::Sample& sample : all(name, labels)) total += sample.value;
  return total;
}

Agent::Agent(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
             const std::vector<std::string>& launcher)
    : child_(command(arguments, launcher), environment), address_(wait_for_address(child_, log_at_start_)) {}

std::string Agent::log_line_with(const std::string& text) {
  while (const auto line = child_.read_error_line()) {
    if (line->find(text) != std::string::npos) return *line;
  }
  return "";
}

std::string Agent::get(const std::string& target, const LabelMap& headers) const {
  const auto answer = http::get(address_, target, kPatience, headers);
  if (!answer) throw std::runtime_error("GET " + target + ": " + answer.error().message());
  return answer->body();
}

Scraped Agent::scrape() const {
  auto samples = metrics::parse_prometheus_text(get("/metrics"));
  if (!samples) throw std::runtime_error(samples.error().message());
  return Scraped(*std::move(samples));
}

Scraped Agent::scrape_anew() const {
  // No two take as long to make.
  const auto made_in = [](const Scraped& scraped) { return scraped.sum("manometer_collector_duration_seconds"); };
  const double before = made_in(scrape());
  return scrape_until([&](const Scraped& now) { return made_in(now) != before; });
}

Scraped Agent::scrape_until(const std::function<bool(const Scraped&)>& condition) const {
  std::optional<Scraped> last;
  eventually([&] { return condition(last.emplace(scrape())); });
  return *std::move(last);
}

}  // namespace manometer::test
