#include "agent/config.h"

#include <cstdlib>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace manometer {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
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
  EXPECT_FALSE(config.stop_with_stdin);
}

TEST(ConfigTest, TakesEveryFlag) {
  const RunConfig config = run_config({"--listen", "[::1]:0", "--variant", "sidecar", "--bpf", "off",
                                       "--sample-interval", "250ms", "--scan-interval", "1m", "--host-proc", "/",
                                       "--host-cgroup", "/tmp", "--log-level", "debug", "--stop-with-stdin"});
  EXPECT_EQ(config.listen, "[::1]:0");
  EXPECT_EQ(config.variant, Variant::kSidecar);
  EXPECT_FALSE(config.bpf);
  EXPECT_EQ(config.sample_interval, milliseconds(250));
  EXPECT_EQ(config.scan_interval, milliseconds(60000));
  EXPECT_EQ(config.host.proc, "/");
  EXPECT_EQ(config.host.cgroup, "/tmp");
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
    testing::Values(Wrong{"Nothing", {}, {"run", "check", "top"}},
                    Wrong{"UnknownCommand", {"walk"}, {"walk", "run", "check", "top"}},
                    Wrong{"UnknownFlag", {"run", "--listne", "x"}, {"--listne"}},
                    Wrong{"NoValue", {"run", "--listen"}, {"--listen"}},
                    Wrong{"UnknownVariant", {"run", "--variant", "pod"}, {"--variant", "pod", "node", "sidecar"}},
                    Wrong{"UnknownBpf", {"run", "--bpf", "yes"}, {"--bpf", "auto", "off"}},
                    Wrong{"NoUnit", {"run", "--sample-interval", "1"}, {"--sample-interval", "500ms", "100ms to 60s"}},
                    Wrong{"TooShort", {"run", "--sample-interval", "99ms"}, {"--sample-interval", "100ms to 60s"}},
                    Wrong{"Negative", {"run", "--sample-interval", "-1s"}, {"--sample-interval"}},
                    Wrong{"TooLong", {"run", "--scan-interval", "99999999999999999999s"}, {"--scan-interval"}},
                    Wrong{"NoDirectory", {"run", "--host-proc", "/nonexistent"}, {"--host-proc", "/nonexistent"}},
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
