#include "agent/cli/top.h"

#include <ctime>
#include <iostream>
#include <optional>
#include <thread>
#include <unistd.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "agent/cli/pressure_table.h"
#include "agent/cli/requests_table.h"
#include "agent/cli/top_table.h"
#include "agent/http/client.h"

namespace manometer::cli {
namespace {

Result<TopScrape> scrape(const std::string& agent) {
  constexpr std::chrono::seconds kTimeout{5};
  const auto answer = http::get(agent, "/metrics", kTimeout);
  if (!answer) return answer.error();
  if (answer->result_int() != 200) return Error(fmt::format("/metrics answers {}", answer->result_int()));
  auto samples = metrics::parse_prometheus_text(answer->body());
  if (!samples) return std::move(samples).error();
  return TopScrape{*std::move(samples), std::chrono::steady_clock::now()};
}

std::string title(const TopConfig& config, size_t jvms) {
  return fmt::format("manometer {}  {} JVM{}  {:%H:%M:%S}\n", config.agent, jvms, jvms == 1 ? "" : "s",
                     fmt::localtime(std::time(nullptr)));
}

std::string tables(const TopConfig& config, const std::optional<TopScrape>& before, const TopScrape& now) {
  const auto jvms = make_rows(before, now);
  std::string out = title(config, jvms.size()) + draw(jvms);
  for (const std::string& more :
       {draw_pressure(make_pressure_rows(now)), draw_requests(make_requests_rows(before, now))}) {
    if (!more.empty()) out += "\n" + more;
  }
  return out;
}

/// A terminal's screen is drawn over, anything else gets one table after the other.
void show(const std::string& text, bool is_terminal) {
  constexpr std::string_view kHomeAndClear = "\x1b[H\x1b[2J";
  std::cout << (is_terminal ? kHomeAndClear : "") << text << (is_terminal ? "" : "\n") << std::flush;
}

}  // namespace

Result<void> top(const TopConfig& config) {
  auto first = scrape(config.agent);
  if (!first) {
    return Error(fmt::format("no agent answers at {}: {} (start one with `manometer run`, or name it with --agent)",
                             config.agent, first.error().message()));
  }
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1 && !config.once;
  std::optional<TopScrape> before;
  TopScrape now = *std::move(first);
  for (;;) {
    if (before || !config.once) {
      show(tables(config, before, now), is_terminal);
    }
    if (before && config.once) return {};
    std::this_thread::sleep_for(config.interval);
    auto next = scrape(config.agent);
    if (!next && config.once) return std::move(next).error();
    if (!next) {
      show(fmt::format("{}: {}; trying again\n", config.agent, next.error().message()), is_terminal);
      continue;
    }
    before = std::move(now);
    now = *std::move(next);
  }
}

}  // namespace manometer::cli
