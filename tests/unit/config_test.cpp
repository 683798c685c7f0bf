#include "agent/config.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace manometer {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

Result<Config> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "manometer");
  return parse_config(static_cast<int>(arguments.size()), arguments.data());
}

RunConfig run_config(std::vector<const char*> arguments = {}) {
  arguments.insert(arguments.begin(), "run");
  const auto config = parse(arguments);
  if (!config) throw std::runtime_error(config.error().message());
  return std::get<RunConfig>(*config);
}

/// A variable for the time of one test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(ConfigTest, DefaultsAreThoseOfANode) {
  const RunConfig config = run_config();
  EXPECT_EQ(config.listen, "127.0.0.1:9435");
  EXPECT_EQ(config.variant, Variant::kNode);
  EXPECT_TRUE(config.bpf);
  EXPECT_EQ(config.sample_interval, milliseconds(1000));
  EXPECT_EQ(config.scan_interval, milliseconds(10000));
  EXPECT_EQ(config.host.proc, "/proc");
  EXPECT_EQ(config.host.cgroup, "");
  EXPECT_EQ(config.host.log, "/var/log");
  EXPECT_TRUE(std::ranges::equal(config.buckets, metrics::kDefaultClassicSeconds));
  EXPECT_TRUE(config.routes.empty());
  EXPECT_TRUE(config.watch.empty());
  EXPECT_EQ(config.max_series, 24U);
  EXPECT_EQ(config.pressure.window, milliseconds(60000));
  EXPECT_EQ(config.pressure.leak_window, milliseconds(600000));
  EXPECT_EQ(config.pressure.gc, jvm::kGcKnees);
  EXPECT_FALSE(config.stop_with_stdin);
}

TEST(ConfigTest, TakesEveryFlag) {
  const RunConfig config =
      run_config({"--listen", "[::1]:0", "--variant", "sidecar", "--bpf", "off", "--sample-interval", "250ms",
                  "--scan-interval", "1m", "--host-proc", "/", "--host-cgroup", "/tmp", "--host-log", "/usr",
                  "--log-level", "debug", "--stop-with-stdin"});
  EXPECT_EQ(config.listen, "[::1]:0");
  EXPECT_EQ(config.variant, Variant::kSidecar);
  EXPECT_FALSE(config.bpf);
  EXPECT_EQ(config.sample_interval, milliseconds(250));
  EXPECT_EQ(config.scan_interval, milliseconds(60000));
  EXPECT_EQ(config.host.proc, "/");
  EXPECT_EQ(config.host.cgroup, "/tmp");
  EXPECT_EQ(config.host.log, "/usr");
  EXPECT_EQ(config.log_level, "debug");
  EXPECT_TRUE(config.stop_with_stdin);
}

TEST(ConfigTest, TakesTheEnvironmentForWhatIsNotOnTheCommandLine) {
  const Variable listen("MANOMETER_LISTEN", "127.0.0.1:1");
  const Variable interval("MANOMETER_SAMPLE_INTERVAL", "5s");
  const Variable stop("MANOMETER_STOP_WITH_STDIN", "true");
  const RunConfig config = run_config({"--listen", "127.0.0.1:2"});
  EXPECT_EQ(config.listen, "127.0.0.1:2");
  EXPECT_EQ(config.sample_interval, milliseconds(5000));
  EXPECT_TRUE(config.stop_with_stdin);
}

TEST(ConfigTest, TakesTheFlagsOfRequests) {
  const RunConfig config = run_config({"--buckets", "0.000001,0.25,1e4", "--route", "/api/", "--route", "/", "--watch",
                                       "exe:/usr/[bs]in/*", "--watch", "cgroup:*", "--max-series", "256"});
  EXPECT_THAT(config.buckets, ElementsAre(0.000001, 0.25, 10000));
  EXPECT_THAT(config.routes, ElementsAre("/api/", "/"));
  EXPECT_THAT(config.watch, ElementsAre("exe:/usr/[bs]in/*", "cgroup:*"));
  EXPECT_EQ(config.max_series, 256U);
}

TEST(ConfigTest, TakesTheFlagsOfPressure) {
  const RunConfig config = run_config({"--pressure-window", "30s", "--leak-window", "1440m", "--pressure-knees",
                                       "gc:0.2:0.5", "--pressure-knees", "oom:0.9:1"});
  EXPECT_EQ(config.pressure.window, milliseconds(30000));
  EXPECT_EQ(config.pressure.leak_window, milliseconds(86400000));
  EXPECT_EQ(config.pressure.gc, (jvm::Knees{0.2, 0.5}));
  EXPECT_EQ(config.pressure.oom, (jvm::Knees{0.9, 1}));
  EXPECT_EQ(config.pressure.live, jvm::kLiveKnees);
  const Variable knees("MANOMETER_PRESSURE_KNEES", "gc:0.3:0.6,psi:0:1");
  EXPECT_EQ(run_config().pressure.gc, (jvm::Knees{0.3, 0.6}));
  EXPECT_EQ(run_config().pressure.psi, (jvm::Knees{0, 1}));
}

TEST(ConfigTest, AVariableMayHaveSeveralRoutesAndPatterns) {
  const Variable routes("MANOMETER_ROUTE", "/api/,/login");
  const Variable watch("MANOMETER_WATCH", "exe:*/nginx,cgroup:/shop");
  const RunConfig config = run_config();
  EXPECT_THAT(config.routes, ElementsAre("/api/", "/login"));
  EXPECT_THAT(config.watch, ElementsAre("exe:*/nginx", "cgroup:/shop"));
}

std::vector<const char*> with_routes(const std::string& route, size_t count) {
  std::vector<const char*> arguments;
  for (size_t i = 0; i < count; ++i) {
    arguments.push_back("--route");
    arguments.push_back(route.c_str());
  }
  return arguments;
}

TEST(ConfigTest, TakesAsManyAndAsLongRoutesAsItSays) {
  const std::string longest = "/" + std::string(62, 'x');
  EXPECT_EQ(run_config(with_routes(longest, 63)).routes.size(), 63U);
  const std::string too_long = longest + "x";
  EXPECT_THROW(run_config(with_routes(too_long, 1)), std::runtime_error);
  EXPECT_THROW(run_config(with_routes(longest, 64)), std::runtime_error);
}

/// A flag and the variable that stands for it, with a value that is not the default.
struct FlagAndVariable {
  const char* command;
  const char* flag;
  const char* variable;
  const char* value;  // nullptr: the flag takes none
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const FlagAndVariable& flag, std::ostream* out) {
  *out << flag.command << ' ' << flag.flag;
}

std::string in_words(const RunConfig& run) {
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}", run.listen,
                     static_cast<int>(run.variant), run.bpf, run.sample_interval.count(), run.scan_interval.count(),
                     run.host.proc, run.host.cgroup, run.host.log, run.log_level, run.stop_with_stdin,
                     fmt::join(run.buckets, ","), fmt::join(run.routes, ","), fmt::join(run.watch, ","), run.max_series,
                     run.pressure.window.count(), run.pressure.leak_window.count(), run.pressure.gc.low,
                     run.limits.jvms, run.limits.watched, run.limits.containers, run.limits.connections,
                     static_cast<int>(run.profile));
}
std::string in_words(const CheckConfig& check) {
  return fmt::format("{} {} {} {} {} {} {} {} {}", static_cast<int>(check.variant), check.json, check.measure.count(),
                     check.pressure.window.count(), check.pressure.leak_window.count(), check.pressure.gc.low,
                     check.host.proc, check.host.cgroup, check.host.log);
}
std::string in_words(const TopConfig& top) {
  return fmt::format("{} {} {}", top.agent, top.interval.count(), top.once);
}
std::string in_words(const PrintConfig& print) {
  return print.text;
}
std::string in_words(const Result<Config>& config) {
  if (!config) return config.error().message();
  return std::visit([](const auto& chosen) { return in_words(chosen); }, *config);
}

class EveryFlag : public testing::TestWithParam<FlagAndVariable> {};

TEST_P(EveryFlag, DoesTheSameAsItsVariable) {
  const auto& [command, flag, variable, value] = GetParam();
  std::vector<const char*> arguments{command, flag};
  if (value != nullptr) arguments.push_back(value);
  const std::string by_flag = in_words(parse(arguments));
  const std::string by_default = in_words(parse({command}));
  const Variable set(variable, value != nullptr ? value : "true");
  EXPECT_EQ(in_words(parse({command})), by_flag);
  EXPECT_NE(by_flag, by_default);
  EXPECT_THAT(std::get<PrintConfig>(*parse({command, "--help"})).text, AllOf(HasSubstr(flag), HasSubstr(variable)));
}

INSTANTIATE_TEST_SUITE_P(
    All, EveryFlag,
    testing::Values(FlagAndVariable{"run", "--listen", "MANOMETER_LISTEN", "[::]:9435"},
                    FlagAndVariable{"run", "--variant", "MANOMETER_VARIANT", "sidecar"},
                    FlagAndVariable{"run", "--bpf", "MANOMETER_BPF", "off"},
                    FlagAndVariable{"run", "--sample-interval", "MANOMETER_SAMPLE_INTERVAL", "100ms"},
                    FlagAndVariable{"run", "--scan-interval", "MANOMETER_SCAN_INTERVAL", "60m"},
                    FlagAndVariable{"run", "--buckets", "MANOMETER_BUCKETS", "1,2"},
                    FlagAndVariable{"run", "--route", "MANOMETER_ROUTE", "/a,/b"},
                    FlagAndVariable{"run", "--watch", "MANOMETER_WATCH", "exe:*,cgroup:*"},
                    FlagAndVariable{"run", "--max-series", "MANOMETER_MAX_SERIES", "1"},
                    FlagAndVariable{"run", "--max-jvms", "MANOMETER_MAX_JVMS", "1"},
                    FlagAndVariable{"run", "--max-watched", "MANOMETER_MAX_WATCHED", "2000"},
                    FlagAndVariable{"run", "--max-containers", "MANOMETER_MAX_CONTAINERS", "7"},
                    FlagAndVariable{"run", "--max-connections", "MANOMETER_MAX_CONNECTIONS", "262144"},
                    FlagAndVariable{"run", "--profile", "MANOMETER_PROFILE", "minimal"},
                    FlagAndVariable{"run", "--pressure-window", "MANOMETER_PRESSURE_WINDOW", "1s"},
                    FlagAndVariable{"run", "--leak-window", "MANOMETER_LEAK_WINDOW", "60m"},
                    FlagAndVariable{"run", "--pressure-knees", "MANOMETER_PRESSURE_KNEES", "gc:0:1,psi:0:1"},
                    FlagAndVariable{"run", "--host-proc", "MANOMETER_HOST_PROC", "/"},
                    FlagAndVariable{"run", "--host-cgroup", "MANOMETER_HOST_CGROUP", "/"},
                    FlagAndVariable{"run", "--host-log", "MANOMETER_HOST_LOG", "/"},
                    FlagAndVariable{"run", "--log-level", "MANOMETER_LOG_LEVEL", "off"},
                    FlagAndVariable{"run", "--stop-with-stdin", "MANOMETER_STOP_WITH_STDIN", nullptr},
                    FlagAndVariable{"check", "--variant", "MANOMETER_VARIANT", "sidecar"},
                    FlagAndVariable{"check", "--output", "MANOMETER_OUTPUT", "json"},
                    FlagAndVariable{"check", "--measure", "MANOMETER_MEASURE", "4s"},
                    FlagAndVariable{"check", "--pressure-window", "MANOMETER_PRESSURE_WINDOW", "1s"},
                    FlagAndVariable{"check", "--leak-window", "MANOMETER_LEAK_WINDOW", "60m"},
                    FlagAndVariable{"check", "--pressure-knees", "MANOMETER_PRESSURE_KNEES", "gc:0:1,psi:0:1"},
                    FlagAndVariable{"check", "--host-proc", "MANOMETER_HOST_PROC", "/"},
                    FlagAndVariable{"check", "--host-cgroup", "MANOMETER_HOST_CGROUP", "/"},
                    FlagAndVariable{"check", "--host-log", "MANOMETER_HOST_LOG", "/"},
                    FlagAndVariable{"top", "--agent", "MANOMETER_AGENT", "10.0.0.1:1"},
                    FlagAndVariable{"top", "--interval", "MANOMETER_INTERVAL", "60s"},
                    FlagAndVariable{"top", "--once", "MANOMETER_ONCE", nullptr}),
    [](const auto& test) {
      std::string name = std::string(test.param.command) + test.param.flag;
      std::erase(name, '-');
      return name;
    });

/// Every flag there is, by the help texts, so that a new one is not forgotten above.
TEST(ConfigTest, HelpHasNoOtherFlags) {
  const std::map<std::string, std::ptrdiff_t> flags{{"run", 22}, {"check", 9}, {"top", 3}};
  for (const auto& [command, expected] : flags) {
    const std::string help = std::get<PrintConfig>(*parse({command.c_str(), "--help"})).text;
    std::ptrdiff_t found = 0;
    for (size_t at = 0; (at = help.find("(Env:", at)) != std::string::npos; ++at) ++found;
    EXPECT_EQ(found, expected) << help;
  }
}

TEST(ConfigTest, AKubernetesServiceNamedManometerChangesNothing) {
  const Variable port("MANOMETER_PORT", "tcp://10.0.0.1:9435");
  const Variable host("MANOMETER_SERVICE_HOST", "10.0.0.1");
  EXPECT_EQ(run_config().listen, "127.0.0.1:9435");
}

TEST(ConfigTest, ChecksAndTop) {
  EXPECT_TRUE(std::get<CheckConfig>(*parse({"check", "--output", "json"})).json);
  const auto top = std::get<TopConfig>(*parse({"top", "--agent", "host:1", "--interval", "1s", "--once"}));
  EXPECT_EQ(top.agent, "host:1");
  EXPECT_EQ(top.interval, milliseconds(1000));
  EXPECT_TRUE(top.once);
}

TEST(ConfigTest, HelpIsText) {
  EXPECT_THAT(std::get<PrintConfig>(*parse({"--help"})).text,
              AllOf(HasSubstr("run"), HasSubstr("check"), HasSubstr("top")));
  EXPECT_THAT(std::get<PrintConfig>(*parse({"run", "--help"})).text, HasSubstr("MANOMETER_LISTEN"));
  EXPECT_THAT(std::get<PrintConfig>(*parse({"--version"})).text, HasSubstr("manometer "));
}

/// Arguments that are wrong, and what the message must have: the flag, and what is allowed.
struct Wrong {
  const char* name;
  std::vector<const char*> arguments;
  std::vector<const char*> words;
};

class WrongArguments : public testing::TestWithParam<Wrong> {};

TEST_P(WrongArguments, AreNamedInOneLine) {
  const auto config = parse(GetParam().arguments);
  ASSERT_FALSE(config.ok());
  for (const char* word : GetParam().words) EXPECT_THAT(config.error().message(), HasSubstr(word));
  EXPECT_EQ(config.error().message().find('\n'), std::string::npos);
}

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const Wrong& wrong, std::ostream* out) {
  *out << wrong.name;
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongArguments,
    testing::Values(
        Wrong{"Nothing", {}, {"run", "check", "top"}},
        Wrong{"UnknownCommand", {"walk"}, {"walk", "run", "check", "top"}},
        Wrong{"UnknownFlag", {"run", "--listne", "x"}, {"--listne"}},
        Wrong{"NoValue", {"run", "--listen"}, {"--listen"}},
        Wrong{"UnknownVariant", {"run", "--variant", "pod"}, {"--variant", "pod", "node", "sidecar"}},
        Wrong{"UnknownBpf", {"run", "--bpf", "yes"}, {"--bpf", "auto", "off"}},
        Wrong{"NoUnit", {"run", "--sample-interval", "1"}, {"--sample-interval", "500ms", "100ms to 60s"}},
        Wrong{"TooShort", {"run", "--sample-interval", "99ms"}, {"--sample-interval", "100ms to 60s"}},
        Wrong{"Negative", {"run", "--sample-interval", "-1s"}, {"--sample-interval"}},
        Wrong{"TooLong", {"run", "--scan-interval", "99999999999999999999s"}, {"--scan-interval"}},
        Wrong{"NoNumber", {"run", "--buckets", "0.1,x"}, {"--buckets", "'x'", "like 0.25"}},
        Wrong{"NoBuckets", {"run", "--buckets", ""}, {"--buckets"}},
        Wrong{"EmptyBucket", {"run", "--buckets", "0.1,,1"}, {"--buckets", "''"}},
        Wrong{"SpaceInBuckets", {"run", "--buckets", "0.1, 1"}, {"--buckets", "' 1'"}},
        Wrong{"DescendingBuckets", {"run", "--buckets", "1,0.5"}, {"--buckets", "0.5", "ascending"}},
        Wrong{"HugeBucket", {"run", "--buckets", "20000"}, {"--buckets", "20000", "1e-06 to 10000"}},
        Wrong{"NanBucket", {"run", "--buckets", "nan"}, {"--buckets", "nan", "1e-06 to 10000"}},
        Wrong{"RelativeRoute", {"run", "--route", "api"}, {"--route", "'api'", "'/'", "63 bytes"}},
        Wrong{"EmptyRoute", {"run", "--route", ""}, {"--route"}},
        Wrong{"RouteWithSpace", {"run", "--route", "/a b"}, {"--route", "'/a b'", "no spaces"}},
        Wrong{"RouteWithNewline", {"run", "--route", "/a\n"}, {"--route", "printable ASCII"}},
        Wrong{"TwoRoutesForOneFlag", {"run", "--route", "/a", "/b"}, {"/b"}},
        Wrong{"UnknownPattern", {"run", "--watch", "pid:7"}, {"--watch", "'pid:7'", "exe:GLOB", "cgroup:"}},
        Wrong{"NoPrefix", {"run", "--watch", "/usr/sbin/nginx"}, {"--watch", "exe:GLOB", "cgroup:GLOB"}},
        Wrong{"GlobWithoutARoot", {"run", "--watch", "exe:nginx"}, {"--watch", "'exe:nginx'", "begins with /"}},
        Wrong{"EmptyGlob", {"run", "--watch", "exe:"}, {"--watch", "'exe:'", "exe:GLOB"}},
        Wrong{"NoSeries", {"run", "--max-series", "0"}, {"--max-series", "1 to 256"}},
        Wrong{"ManySeries", {"run", "--max-series", "257"}, {"--max-series", "1 to 256"}},
        Wrong{"HalfASeries", {"run", "--max-series", "1.5"}, {"--max-series", "1 to 256"}},
        Wrong{"NoJvms", {"run", "--max-jvms", "0"}, {"--max-jvms", "'0'", "1 to 2000"}},
        Wrong{"ManyWatched", {"run", "--max-watched", "2001"}, {"--max-watched", "1 to 2000"}},
        Wrong{"ContainersInWords", {"run", "--max-containers", "all"}, {"--max-containers", "'all'", "1 to 2000"}},
        Wrong{"ManyConnections", {"run", "--max-connections", "262145"}, {"--max-connections", "1 to 262144"}},
        Wrong{"ShortMeasure", {"check", "--measure", "3s"}, {"--measure", "'3s'", "4s to 86400s"}},
        Wrong{"UnknownProfile", {"run", "--profile", "full"}, {"--profile", "full", "default", "minimal"}},
        Wrong{"ShortWindow", {"run", "--pressure-window", "500ms"}, {"--pressure-window", "1s to 600s"}},
        Wrong{"LongLeak", {"run", "--leak-window", "1441m"}, {"--leak-window", "1s to 86400s"}},
        Wrong{"UnknownComponent",
              {"run", "--pressure-knees", "load:0:1"},
              {"--pressure-knees", "'load:0:1'", "NAME:LOW:HIGH"}},
        Wrong{"OneKneeOfTwo",
              {"run", "--pressure-knees", "gc:0:1", "--pressure-knees", "gc:0.5"},
              {"--pressure-knees", "'gc:0.5'", "NAME:LOW:HIGH"}},
        Wrong{"NoDirectory", {"run", "--host-proc", "/nonexistent"}, {"--host-proc", "/nonexistent"}},
        Wrong{"NoCgroups", {"run", "--host-cgroup", "/nonexistent"}, {"--host-cgroup", "/nonexistent"}},
        Wrong{"LogsInAFile", {"run", "--host-log", "/etc/passwd"}, {"--host-log", "/etc/passwd"}},
        Wrong{"UnknownLevel", {"run", "--log-level", "loud"}, {"--log-level", "debug"}},
        Wrong{"UnknownOutput", {"check", "--output", "xml"}, {"--output", "table", "json"}},
        Wrong{"TooOften", {"top", "--interval", "1ms"}, {"--interval", "500ms to 60s"}}),
    [](const auto& test) { return test.param.name; });

TEST(ConfigTest, AWrongVariableIsNamedByItsFlag) {
  const Variable variant("MANOMETER_VARIANT", "pod");
  const auto config = parse({"run"});
  ASSERT_FALSE(config.ok());
  EXPECT_THAT(config.error().message(), AllOf(HasSubstr("--variant"), HasSubstr("node")));
}

}  // namespace
}  // namespace manometer
