// Stops for collections as the kernel sees them, each by itself, against the JVM's own log of them.

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <numeric>
#include <span>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/java/combinations.h"
#include "tests/java/jvm.h"
#include "tests/java/moment.h"
#include "tests/java/odd.h"
#include "tests/support/skip.h"

namespace manometer::test {
namespace {

constexpr const char* kPause = "manometer_jvm_gc_pause_seconds";

struct Case {
  Combination combination;
  std::string source;  // that is expected
};

std::ostream& operator<<(std::ostream& out, const Case& one) {
  return out << one.combination << " by " << one.source;
}

class Pauses : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const auto found = fetch_jdk(GetParam().combination.jdk);
    if (!found) MANOMETER_SKIP(found.error().message());
    if (const auto classes = workload_classes(); !classes) MANOMETER_SKIP(classes.error().message());
    jdk_ = *found;
    if (GetParam().source == "symbols") jdk_ = without_usdt(*found);
  }

  static void TearDownTestSuite() { stripped.clear(); }

  static Jdk without_usdt(const Jdk& jdk) {
    const auto copy =
        stripped.try_emplace(jdk.version, jdk, std::vector<std::string>{"objcopy", "--remove-section=.note.stapsdt"});
    return copy.first->second.jdk();
  }

  JvmSetup setup() const {
    JvmSetup setup{.options = GetParam().combination.options, .gc_log = true};
    setup.options.emplace_back("-Xmx256m");
    // Another thread writes the lines, so that none is written between the JVM's look at the clock and ours.
    if (GetParam().combination.jdk >= 17) setup.options.emplace_back("-Xlog:async");
    return setup;
  }

  static std::map<int, ChangedJdk> stripped;
  Jdk jdk_;
};

std::map<int, ChangedJdk> Pauses::stripped;

/// Pauses of this JVM by this source.
double sum_of(const Moment& moment, const char* suffix, const std::string& source) {
  LabelMap labels = moment.labels;
  labels["source"] = source;
  return moment.scraped.sum(std::string(kPause) + suffix, labels);
}

/// Collects until the kernel sees it.
void wait_until_measured(const Agent& agent, Jvm& jvm, const std::string& source) {
  LabelMap labels = jvm.labels();
  labels["source"] = source;
  ASSERT_TRUE(eventually([&] {
    jvm.command("gc");
    return fresh_scrape(agent, jvm.labels()).sum(std::string(kPause) + "_count", labels) > 0;
  }));
}

/// Stops for collections between two moments, as measured or as the log has them.
struct Stops {
  double count = 0;
  double seconds = 0;
};

Stops measured(const Moment& start, const Moment& end, const std::string& source) {
  return {sum_of(end, "_count", source) - sum_of(start, "_count", source),
          sum_of(end, "_sum", source) - sum_of(start, "_sum", source)};
}

Stops logged(const Moment& start, const Moment& end, std::span<const Safepoint> log) {
  const auto first = static_cast<size_t>(start.value("manometer_jvm_safepoints_total"));
  const auto last = static_cast<size_t>(end.value("manometer_jvm_safepoints_total"));
  Stops stops;
  for (const Safepoint& stop : log.subspan(first, last - first)) {
    if (!stop.for_gc) continue;
    ++stops.count;
    stops.seconds += stop.seconds;
  }
  return stops;
}

TEST_P(Pauses, AddUpAsTheLogSays) {
  const std::string& source = GetParam().source;
  const Agent agent({"--sample-interval", "100ms"});
  Jvm jvm(jdk_, setup());
  jvm.command("retain 40");
  wait_until_measured(agent, jvm, source);
  constexpr size_t kRounds = 3;
  std::vector<Moment> moments{quiet_moment(agent, jvm)};
  while (moments.size() <= kRounds) {
    jvm.command("allocate 1200 1500");
    moments.push_back(quiet_moment(agent, jvm));
  }
  jvm.end();
  const std::vector<Safepoint> log = jvm.safepoints();
  ASSERT_LE(moments.back().value("manometer_jvm_safepoints_total"), static_cast<double>(log.size()));
  bool agrees = false;
  for (size_t round = 1; round <= kRounds; ++round) {
    const Stops kernel = measured(moments[round - 1], moments[round], source);
    const Stops jvm_log = logged(moments[round - 1], moments[round], log);
    EXPECT_GE(jvm_log.count, 5) << "too little to tell anything";
    EXPECT_EQ(kernel.count, jvm_log.count);
    // ZGC's stops are not much longer than what lies between its look at the clock and ours; in JDK 11 that is a line
    // of the log.
    const double between = (GetParam().combination.jdk == 11 ? 60e-6 : 15e-6) * jvm_log.count;
    const double apart = kernel.seconds - jvm_log.seconds;
    agrees = agrees || std::abs(apart) <= std::max(0.01 * jvm_log.seconds, between);
    std::cout << jvm_log.count << " pauses, " << kernel.seconds << " s, in the log " << jvm_log.seconds << " s, "
              << apart / jvm_log.count * 1e6 << " us each\n";
  }
  EXPECT_TRUE(agrees) << "in no round, as if it were held up in each just then";
}

/// Of JDK 17 with G1, in ways that change what is known of it.
class OddPauses : public JvmTest {
 protected:
  Agent agent_{{"--sample-interval", "100ms"}};
};

double collections(const Report& report) {
  return std::accumulate(report.collectors.begin(), report.collectors.end(), 0.0,
                         [](double sum, const auto& bean) { return sum + bean.second.count; });
}

TEST_F(OddPauses, AreMeasuredWithoutPerformanceData) {
  Jvm jvm(jdk(), {.options = {"-XX:+UseSerialGC", "-Xmx256m", "-XX:-UsePerfData"}});
  jvm.command("report");
  LabelMap labels = jvm.labels();
  labels["source"] = "usdt";
  const auto pauses = [&] { return agent_.scrape_anew().sum(std::string(kPause) + "_count", labels); };
  ASSERT_TRUE(eventually([&] {
    jvm.command("gc");
    return pauses() > 0;
  }));
  const double first = pauses();
  const double collections_before = collections(jvm.report());
  jvm.command("allocate 1200 500");
  const double collected = collections(jvm.report()) - collections_before;
  EXPECT_GE(collected, 5);
  const Scraped scraped = agent_.scrape_anew();
  const auto series = scraped.all(std::string(kPause) + "_count", labels);
  ASSERT_EQ(series.size(), 1U);
  EXPECT_FALSE(series[0].labels.contains("collector") || series[0].labels.contains("cause")) << "neither is known";
  EXPECT_EQ(series[0].value - first, collected);
  EXPECT_GE(scraped.value("manometer_jvm_safepoints_total", jvm.labels()), series[0].value);
  EXPECT_GE(scraped.value("manometer_jvm_safepoint_seconds_total", jvm.labels()),
            scraped.value(std::string(kPause) + "_sum", labels));
}

TEST_F(OddPauses, AreTakenFromCountersWithoutUsdtAndSymbols) {
  const ChangedJdk stripped(jdk(), {"strip", "--strip-all", "--remove-section=.note.stapsdt"});
  Jvm jvm(stripped.jdk(), {.options = {"-XX:+UseG1GC"}});
  EXPECT_NE(agent_.log_line_with("has no USDT probes, and no symbols"), "");
  jvm.command("gc");
  const Moment moment = quiet_moment(agent_, jvm);
  EXPECT_GE(sum_of(moment, "_count", "counters"), 1);
  EXPECT_EQ(sum_of(moment, "_count", "usdt") + sum_of(moment, "_count", "symbols"), 0);
}

TEST_F(OddPauses, OfTwoJvmsWithOneLibraryAreNotMixed) {
  Jvm quiet(jdk(), {.options = {"-XX:+UseG1GC"}});
  Jvm busy(jdk(), {.options = {"-XX:+UseSerialGC"}});
  wait_until_measured(agent_, quiet, "usdt");
  wait_until_measured(agent_, busy, "usdt");
  const Moment start = quiet_moment(agent_, quiet);
  for (int i = 0; i < 10; ++i) busy.command("gc");
  const Moment end = quiet_moment(agent_, quiet);
  EXPECT_EQ(sum_of(end, "_count", "usdt"), sum_of(start, "_count", "usdt"));
  const Moment moment = quiet_moment(agent_, busy);
  for (const auto& series : moment.scraped.all(std::string(kPause) + "_count", moment.labels))
    EXPECT_EQ(series.labels.at("collector"), "MarkSweepCompact");
  EXPECT_GE(sum_of(moment, "_count", "usdt"), 11);
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Combination& one : all_combinations()) {
    if (one.jdk == 8 || one.collector == "Epsilon") continue;
    cases.push_back({one, "usdt"});
    cases.push_back({one, "symbols"});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Jvms, Pauses, testing::ValuesIn(all_cases()), [](const auto& one) {
  return one.param.combination.name + std::to_string(one.param.combination.jdk) + "_" + one.param.source;
});

}  // namespace
}  // namespace manometer::test
