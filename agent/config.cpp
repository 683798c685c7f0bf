#include "agent/config.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <map>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/requests/watch_pattern.h"

namespace manometer {
namespace {

using std::chrono::milliseconds;

/// "--sample-interval" -> "MANOMETER_SAMPLE_INTERVAL". No flag may be called --port or --service-*: Kubernetes sets
/// MANOMETER_PORT and MANOMETER_SERVICE_* in every pod beside a Service named manometer.
std::string environment_name(std::string flag) {
  flag.erase(0, 2);
  std::ranges::transform(flag, flag.begin(), [](unsigned char c) { return c == '-' ? '_' : std::toupper(c); });
  return "MANOMETER_" + flag;
}

template <typename T>
CLI::Option* add_flag_with_value(CLI::App& command, const std::string& flag, T& value, const std::string& help) {
  return command.add_option(flag, value, help)->envname(environment_name(flag))->capture_default_str();
}

void add_switch(CLI::App& command, const std::string& flag, bool& value, const std::string& help) {
  command.add_flag(flag, value, help)->envname(environment_name(flag));
}

/// "500ms", "2s", "1m"; nullopt if it is none of these.
std::optional<milliseconds> parse_duration(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view unit = text.substr(digits);
  int64_t count = 0;
  if (!parse_number(text.substr(0, digits), count) || count > 1'000'000) return std::nullopt;
  if (unit == "ms") return milliseconds(count);
  if (unit == "s") return std::chrono::seconds(count);
  if (unit == "m") return std::chrono::minutes(count);
  return std::nullopt;
}

std::string to_text(milliseconds duration) {
  constexpr milliseconds kSecond{1000};
  return duration % kSecond == milliseconds(0) ? fmt::format("{}s", duration / kSecond)
                                               : fmt::format("{}ms", duration.count());
}

void add_duration(CLI::App& command, const std::string& flag, milliseconds& value, milliseconds least,
                  milliseconds most, const std::string& help) {
  const std::string range = to_text(least) + " to " + to_text(most);
  const auto take = [&value, flag, least, most, range](const std::string& text) {
    const auto parsed = parse_duration(text);
    if (!parsed || *parsed < least || *parsed > most)
      throw CLI::ValidationError(flag, "'" + text + "' is not a duration like 500ms, 2s or 1m, from " + range);
    value = *parsed;
  };
  command.add_option_function<std::string>(flag, take, help + " (like 500ms, 2s or 1m; " + range + ")")
      ->envname(environment_name(flag))
      ->type_name("DURATION")
      ->default_str(to_text(value));
}

/// A flag that takes one of some words, which stand for values.
template <typename T>
void add_choice(CLI::App& command, const std::string& flag, T& value, const std::map<std::string, T>& choices,
                const std::string& help) {
  const auto current = std::ranges::find(choices, value, [](const auto& choice) { return choice.second; });
  command
      .add_option_function<std::string>(
          flag, [&value, choices](const std::string& word) { value = choices.at(word); }, help)
      ->envname(environment_name(flag))
      ->check(CLI::IsMember(choices))
      ->default_str(current->first);
}

void add_variant(CLI::App& command, Variant& variant) {
  add_choice(command, "--variant", variant, {{"node", Variant::kNode}, {"sidecar", Variant::kSidecar}},
             "node: watch every JVM of the node; sidecar: those of this user, without eBPF");
}

void add_host_paths(CLI::App& command, node::HostPaths& host) {
  add_flag_with_value(command, "--host-proc", host.proc, "The node's /proc, as mounted here")
      ->check(CLI::ExistingDirectory);
  add_flag_with_value(command, "--host-cgroup", host.cgroup,
                      "The node's /sys/fs/cgroup, as mounted here; default: found in the mount table of the agent, or "
                      "in a container of process 1")
      ->check(CLI::ExistingDirectory);
  add_flag_with_value(command, "--host-log", host.log, "The node's /var/log, as mounted here: tells the names of pods")
      ->check(CLI::ExistingDirectory);
}

/// "0.1,1": what metrics::Buckets takes; throws for anything else.
std::vector<double> parse_buckets(const std::string& flag, std::string_view text) {
  std::vector<double> bounds;
  while (!text.empty()) {
    const std::string_view part = take_until(text, ',');
    if (!parse_number(part, bounds.emplace_back()))
      throw CLI::ValidationError(flag, fmt::format("'{}' is not a number of seconds like 0.25", part));
  }
  auto buckets = metrics::Buckets::make(std::move(bounds));
  if (!buckets) throw CLI::ValidationError(flag, buckets.error().message());
  return buckets->classic_seconds();
}

void add_buckets(CLI::App& command, std::vector<double>& bounds) {
  const std::string flag = "--buckets";
  command
      .add_option_function<std::string>(
          flag, [&bounds, flag](const std::string& text) { bounds = parse_buckets(flag, text); },
          "Bounds of the histograms of requests and GC pauses, in ascending seconds; processing has every second of "
          "them, transfer and pauses every third")
      ->envname(environment_name(flag))
      ->type_name("LIST")
      ->default_str(fmt::format("{}", fmt::join(bounds, ",")));
}

/// A flag that can be given more than once; its variable has commas between the values, so no value has one. fault:
/// what is wrong with a value, empty if nothing is.
CLI::Option* add_list(CLI::App& command, const std::string& flag, std::vector<std::string>& values, size_t most,
                      std::string (*fault)(const std::string&), const std::string& help) {
  const auto take = [&values, flag, most, fault](const std::vector<std::string>& given) {
    if (given.size() > most)
      throw CLI::ValidationError(flag, fmt::format("{} of them, {} at most", given.size(), most));
    for (const std::string& value : given) {
      const std::string why = fault(value);
      if (!why.empty()) throw CLI::ValidationError(flag, why);
    }
    values = given;
  };
  return command.add_option_function<std::vector<std::string>>(flag, take, help)
      ->envname(environment_name(flag))
      ->delimiter(',')
      ->allow_extra_args(false);
}

constexpr size_t kMaxRoutes = 63;
constexpr size_t kMaxRouteBytes = 63;
constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

std::string route_fault(const std::string& route) {
  const auto may_be_in_a_path = [](char c) { return c > ' ' && c <= '~'; };
  if (route.starts_with('/') && route.size() <= kMaxRouteBytes && std::ranges::all_of(route, may_be_in_a_path))
    return "";
  return fmt::format("'{}' is not how a path starts: '/' and printable ASCII, no spaces, {} bytes at most",
                     printable(route), kMaxRouteBytes);
}

std::string watch_fault(const std::string& pattern) {
  const auto parsed = requests::parse_watch_pattern(pattern);
  return parsed ? "" : printable(parsed.error().message());
}

/// A flag that takes a number from 1 to most.
void add_most(CLI::App& command, const std::string& flag, size_t& value, size_t most, const std::string& help) {
  const auto take = [&value, flag, most](const std::string& text) {
    size_t parsed = 0;
    if (!parse_number(std::string_view(text), parsed) || parsed < 1 || parsed > most)
      throw CLI::ValidationError(flag, fmt::format("'{}' is not a whole number from 1 to {}", text, most));
    value = parsed;
  };
  command.add_option_function<std::string>(flag, take, fmt::format("{} (1 to {})", help, most))
      ->envname(environment_name(flag))
      ->type_name("N")
      ->default_str(std::to_string(value));
}

void add_limits(CLI::App& command, Limits& limits) {
  add_most(command, "--max-jvms", limits.jvms, Limits::kMost,
           "JVMs measured at once; those that come beyond are refused, and counted in manometer_refused_total");
  add_most(command, "--max-watched", limits.watched, Limits::kMost, "The same of processes that --watch names");
  add_most(command, "--max-containers", limits.containers, Limits::kMost, "The same of the containers of both");
  add_most(command, "--max-connections", limits.connections, Limits::kMostConnections,
           "Connections to both before Linux 5.11, at 0.7 KB each; newer kernels keep them with their sockets");
}

/// Flags of what is measured of requests.
void add_requests(CLI::App& command, RunConfig& run) {
  add_buckets(command, run.buckets);
  add_list(command, "--route", run.routes, kMaxRoutes, route_fault,
           "Measure requests apart whose path starts with this, like /api/; may be repeated")
      ->type_name("PREFIX");
  add_list(command, "--watch", run.watch, kNoLimit, watch_fault,
           "Measure requests to other processes than JVMs too, like exe:/usr/sbin/nginx or cgroup:/shop*; may be "
           "repeated")
      ->type_name("PATTERN");
  constexpr size_t kMostSeries = 256;
  add_most(command, "--max-series", run.max_series, kMostSeries,
           "Combinations of method, code and route measured apart per target");
}

/// Flags of how pressure is made out of samples.
void add_pressure(CLI::App& command, jvm::PressureOptions& pressure) {
  add_duration(command, "--pressure-window", pressure.window, milliseconds(1000), milliseconds(600000),
               "What memory pressure is taken over; lengthened to 4 samples if shorter");
  add_duration(command, "--leak-window", pressure.leak_window, milliseconds(1000), milliseconds(86400000),
               "What a leak has to last to be suspected; lengthened to 24 samples if shorter");
  const std::string flag = "--pressure-knees";
  const auto take = [&pressure, flag](const std::vector<std::string>& given) {
    for (const std::string& text : given) {
      const auto set = jvm::set_knees(pressure, text);
      if (!set) throw CLI::ValidationError(flag, set.error().message());
    }
  };
  command
      .add_option_function<std::vector<std::string>>(
          flag, take,
          "Where gc, stall, live, psi, oom or overcommit leaves 0 and gets to 1, like gc:0.1:0.4; may be repeated")
      ->envname(environment_name(flag))
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME:LOW:HIGH");
}

CLI::App* add_run(CLI::App& app, RunConfig& run) {
  CLI::App* command = app.add_subcommand("run", "Watch the JVMs and serve /metrics until told to stop");
  add_flag_with_value(*command, "--listen", run.listen, "Address to serve on, HOST:PORT; port 0 takes a free one");
  add_variant(*command, run.variant);
  add_choice(*command, "--bpf", run.bpf, {{"auto", true}, {"off", false}}, "Kernel probes: those that work, or none");
  add_duration(*command, "--sample-interval", run.sample_interval, milliseconds(100), milliseconds(60000),
               "How often each JVM is read");
  add_duration(*command, "--scan-interval", run.scan_interval, milliseconds(1000), milliseconds(3600000),
               "How often all processes are looked at for JVMs that were missed");
  add_pressure(*command, run.pressure);
  add_requests(*command, run);
  add_limits(*command, run.limits);
  add_choice(*command, "--profile", run.profile,
             {{"default", metrics::Profile::kDefault}, {"minimal", metrics::Profile::kMinimal}},
             "default: all metrics; minimal: what one scales on and is alerted by, 25 series for a JVM at most");
  add_host_paths(*command, run.host);
  add_flag_with_value(*command, "--log-level", run.log_level, "What is logged")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}));
  add_switch(*command, "--stop-with-stdin", run.stop_with_stdin,
             "Stop when standard input ends, as it does when a script that started us dies");
  return command;
}

CLI::App* add_check(CLI::App& app, CheckConfig& check) {
  CLI::App* command = app.add_subcommand("check", "Tell what works here, what does not and why");
  add_variant(*command, check.variant);
  add_choice(*command, "--output", check.json, {{"table", false}, {"json", true}}, "How to print it");
  add_duration(*command, "--measure", check.measure, milliseconds(4000), milliseconds(86400000),
               "Measure memory pressure too, for so long; a leak takes a --leak-window with the live set known");
  add_pressure(*command, check.pressure);
  add_host_paths(*command, check.host);
  return command;
}

CLI::App* add_top(CLI::App& app, TopConfig& top) {
  CLI::App* command = app.add_subcommand("top", "Show the JVMs that a running agent watches");
  add_flag_with_value(*command, "--agent", top.agent, "Address of the agent, HOST:PORT");
  add_duration(*command, "--interval", top.interval, milliseconds(500), milliseconds(60000), "How often to draw");
  add_switch(*command, "--once", top.once, "Print one table and exit");
  return command;
}

/// CLI11's message without its line breaks.
std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

}  // namespace

Result<Config> parse_config(int argc, const char* const* argv) {
  CLI::App app("JVM memory pressure and request latency, measured from the kernel", "manometer");
  app.set_version_flag("--version", "manometer " MANOMETER_VERSION);
  app.require_subcommand(1);
  RunConfig run;
  CheckConfig check;
  TopConfig top;
  const CLI::App* run_command = add_run(app, run);
  const CLI::App* check_command = add_check(app, check);
  add_top(app, top);
  app.footer("Every flag can be given as an environment variable too: --sample-interval as MANOMETER_SAMPLE_INTERVAL.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    return Config(PrintConfig{chosen.empty() ? app.help() : chosen.front()->help()});
  } catch (const CLI::CallForVersion&) {
    return Config(PrintConfig{app.version() + "\n"});
  } catch (const CLI::RequiredError&) {
    return Error(argc > 1 ? fmt::format("'{}' is not run, check or top (manometer --help)", argv[1])
                          : "say what to do: run, check or top (manometer --help)");
  } catch (const CLI::ParseError& error) {
    return Error(one_line(error.what()));
  }
  if (*run_command) return Config(run);
  if (*check_command) return Config(check);
  return Config(top);
}

}  // namespace manometer
