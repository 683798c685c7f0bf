#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/metrics/parse.h"
#include "tests/support/child.h"

namespace manometer::test {

/// Path of the built agent.
std::string agent_binary();

using LabelMap = std::map<std::string, std::string>;

/// One scrape.
class Scraped {
 public:
  explicit Scraped(std::vector<metrics::Sample> samples) : samples_(std::move(samples)) {}

  /// Value of the only sample with this name that has these labels (and perhaps more); nullopt if there is none.
  std::optional<double> value(const std::string& name, const LabelMap& labels = {}) const;
  /// Sum over all samples with this name that have these labels.
  double sum(const std::string& name, const LabelMap& labels = {}) const;
  size_t size() const { return samples_.size(); }
  /// Those that have this label.
  std::vector<metrics::Sample> all_with(const std::string& label) const;
  std::vector<metrics::Sample> all(const std::string& name, const LabelMap& labels = {}) const;

 private:
  std::vector<metrics::Sample> samples_;
};

/// A running `manometer run`, on a free port of loopback. It is stopped with the object.
class Agent {
 public:
  /// launcher: a command that becomes the agent, "unshare ...". Throws if it does not come up.
  explicit Agent(const std::vector<std::string>& arguments = {}, const std::vector<std::string>& environment = {},
                 const std::vector<std::string>& launcher = {});

  const std::string& address() const { return address_; }
  Child& child() { return child_; }
  pid_t pid() const { return child_.pid(); }
  /// What it logged before it was ready to answer.
  const std::string& log_at_start() const { return log_at_start_; }
  /// The next line of its log with this text; waits for it. "" if it ends without.
  std::string log_line_with(const std::string& text);
  /// GET target; throws if there is no answer.
  std::string get(const std::string& target, const LabelMap& headers = {}) const;
  Scraped scrape() const;
  /// One that was made after this call: the agent gives the same answer to several who ask within a fraction of a
  /// second.
  Scraped scrape_anew() const;
  /// Scrapes until condition is true of it; the last scrape, for the assertion that follows.
  Scraped scrape_until(const std::function<bool(const Scraped&)>& condition) const;

 private:
  Child child_;
  std::string log_at_start_;
  std::string address_;
};

}  // namespace manometer::test
