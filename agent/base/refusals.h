#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "agent/base/log.h"
#include "agent/base/types.h"

namespace manometer {

/// Processes that are not measured because as many are as may be. Each counts once, however often it is refused.
class Refusals {
 public:
  enum class Limit { kJvms, kWatched, kContainers };
  static constexpr std::array kLimits{Limit::kJvms, Limit::kWatched, Limit::kContainers};

  /// log must outlive it.
  explicit Refusals(LogOnce& log) : log_(log) {}

  /// most: what the limit is.
  void add(Limit limit, size_t most, const ProcessKey& key);
  /// It ended, or is measured now.
  void remove(pid_t pid) { refused_.erase(pid); }
  void remove(const ProcessKey& key);
  /// Forgets all but these, which are in ascending order.
  void keep(const std::vector<pid_t>& pids);

  bool contains(pid_t pid) const { return refused_.contains(pid); }
  /// Processes that are refused now.
  size_t size() const { return refused_.size(); }
  /// Since the start.
  uint64_t count(Limit limit) const;

 private:
  LogOnce& log_;
  std::map<pid_t, uint64_t> refused_;  // when they started, in the ticks of ProcessKey
  std::map<Limit, uint64_t> counts_;
};

/// "jvms", of the flag --max-jvms.
std::string_view to_string(Refusals::Limit limit);

}  // namespace manometer
