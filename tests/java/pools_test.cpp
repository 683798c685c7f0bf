// What collections leave in the heap, as the kernel sees it, against what the JVM's own beans say of it.

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/java/combinations.h"
#include "tests/java/jvm.h"
#include "tests/java/moment.h"
#include "tests/java/odd.h"
#include "tests/support/skip.h"

namespace manometer::test {
namespace {

constexpr double kMegabyte = 1 << 20;
constexpr double kMaxHeap = 256 * kMegabyte;
constexpr double kRetained = 40 * kMegabyte;

/// A JVM of each kind, with this much alive.
class Left : public testing::TestWithParam<Combination> {
 protected:
  explicit Left(std::vector<std::string> options) : options_(std::move(options)) {}

  void SetUp() override {
    const auto found = fetch_jdk(GetParam().jdk);
    if (!found) MANOMETER_SKIP(found.error().message());
    if (const auto classes = workload_classes(); !classes) MANOMETER_SKIP(classes.error().message());
    JvmSetup setup{.options = GetParam().options};
    setup.options.insert(setup.options.end(), {"-Xmx256m", "-Xms128m"});
    setup.options.insert(setup.options.end(), options_.begin(), options_.end());
    jvm_ = std::make_unique<Jvm>(*found, setup);
    jvm_->command("retain 40");
  }

  bool is(std::string_view collector) const { return GetParam().collector == collector; }

  Agent agent_{{"--sample-interval", "100ms", "--scan-interval", "1s", "--pressure-window", "1s", "--pressure-knees",
                "gc:0:1", "--pressure-knees", "live:0:1"}};
  std::unique_ptr<Jvm> jvm_;

 private:
  std::vector<std::string> options_;
};

bool is_concurrent(const Combination& combination) {
  return combination.is("Shenandoah") || combination.collector.ends_with("ZGC");
}

class Pools : public Left {
 protected:
  Pools() : Left({"-XX:-UsePerfData"}) {}

  bool is_concurrent() const { return test::is_concurrent(GetParam()); }

  /// Collects until the kernel sees it.
  void wait_until_measured() {
    LabelMap info = jvm_->labels();
    info["tier"] = "usdt";
    ASSERT_TRUE(eventually([&] {
      jvm_->command("gc");
      return agent_.scrape_anew().value("manometer_jvm_info", info) == 1;
    }));
  }

  void expect_heap(const Moment& moment) const;
  void expect_pressure(const LabelMap& labels) const;
  static double most_live(const Scraped& scraped, const LabelMap& labels);
};

LabelMap with(LabelMap labels, const std::string& name, const std::string& value) {
  labels[name] = value;
  return labels;
}

void Pools::expect_heap(const Moment& moment) const {
  const LabelMap& labels = moment.labels;
  EXPECT_EQ(moment.scraped.value("manometer_jvm_info", with(labels, "collector", GetParam().collector)), 1);
  EXPECT_EQ(moment.scraped.value("manometer_jvm_heap_used_bytes", with(labels, "updated", "at_gc")),
            moment.before.heap_used_after_collection());
  EXPECT_EQ(moment.value("manometer_jvm_heap_max_bytes"), kMaxHeap);
  const double live = moment.value("manometer_jvm_heap_live_bytes");
  EXPECT_GE(live, kRetained);
  // Some free memory beside their collections.
  if (is_concurrent()) return;
  const bool has_two_survivors = !is("G1");
  const double other_survivor = has_two_survivors ? moment.before.heap_pool("Survivor Space").committed : 0;
  EXPECT_EQ(moment.value("manometer_jvm_heap_committed_bytes"), moment.before.heap_committed + other_survivor);
  const double old = moment.before.heap_pool(is("Serial") ? "Tenured Gen" : "Old Gen").used_after_collection;
  EXPECT_EQ(moment.scraped.value("manometer_jvm_heap_live_bytes", with(labels, "source", "collection")), old);
  EXPECT_EQ(moment.scraped.value("manometer_jvm_generation_used_bytes", with(labels, "generation", "old")), old);
}

/// With knees of 0 and 1 it is the share itself.
void Pools::expect_pressure(const LabelMap& labels) const {
  const std::string component = "manometer_jvm_memory_pressure_component_ratio";
  const Scraped scraped = agent_.scrape_until([&](const Scraped& now) {
    return now.value("manometer_jvm_memory_pressure_load_ratio", labels) &&
           now.value(component, with(labels, "component", "live"));
  });
  EXPECT_GT(scraped.value(component, with(labels, "component", "gc")).value_or(0), 0);
  EXPECT_EQ(scraped.value(component, with(labels, "component", "stall")).has_value(), is_concurrent());
  EXPECT_NEAR(scraped.value(component, with(labels, "component", "live")).value_or(0),
              scraped.value("manometer_jvm_heap_live_bytes", labels).value_or(-1) / most_live(scraped, labels), 1e-9);
}

/// What the live set may grow to.
double Pools::most_live(const Scraped& scraped, const LabelMap& labels) {
  const auto of_old = scraped.value("manometer_jvm_generation_max_bytes", with(labels, "generation", "old"));
  return of_old.value_or(kMaxHeap);
}

TEST_P(Pools, HaveWhatTheBeansSayThatACollectionLeft) {
  wait_until_measured();
  jvm_->command("gc");
  expect_heap(quiet_moment(agent_, *jvm_));
  jvm_->command("allocate 1200 800");
  expect_pressure(jvm_->labels());
  if (is_concurrent()) return;
  const Moment moment = quiet_moment(agent_, *jvm_);
  double young = 0;
  for (const char* pool : {"Eden Space", "Survivor Space"})
    young += moment.before.heap_pool(pool).used_after_collection;
  const auto used =
      moment.scraped.value("manometer_jvm_generation_used_bytes", with(moment.labels, "generation", "young"));
  ASSERT_TRUE(used);
  // At the pauses of its concurrent cycles, which leave the young generation alone, G1 has begun to fill it again; the
  // beans leave these out.
  EXPECT_THAT(*used, testing::AllOf(testing::Ge(young), testing::Le(is("G1") ? kMaxHeap : young)));
}

/// With performance data, which these collectors do not bring up to date after they have freed.
class Cycles : public Left {
 protected:
  Cycles() : Left({}) {}

  /// What the old generation held after one of them, as the bean has it. The agent has seen it.
  double left_by_another() {
    jvm_->command("gc");
    agent_.scrape_anew();
    const Report report = jvm_->report();
    return is("Generational ZGC") ? report.heap_pool("Old Generation").used_after_collection
                                  : report.heap_used_after_collection();
  }

  void wait_until_measured() {
    ASSERT_TRUE(eventually([&] { return left_by_another() > 0 && live(agent_.scrape()); }));
  }

  std::optional<double> live(const Scraped& scraped) const {
    return scraped.value("manometer_jvm_heap_live_bytes", with(jvm_->labels(), "source", "collection"));
  }
};

TEST_P(Cycles, LeaveTheLiveSet) {
  wait_until_measured();
  // Another cycle may come between ours.
  EXPECT_TRUE(eventually([&] {
    const double least = std::min({left_by_another(), left_by_another(), left_by_another()});
    return live(agent_.scrape()) == least;
  }));
  const Scraped scraped = agent_.scrape();
  EXPECT_THAT(live(scraped), testing::Optional(testing::AllOf(testing::Ge(kRetained), testing::Le(1.5 * kRetained))));
  EXPECT_EQ(scraped.value("manometer_jvm_info", with(jvm_->labels(), "tier", "hsperfdata")), 1);
}

TEST_P(Cycles, OfABusyJvmLeaveLittleElse) {
  constexpr int kRounds = 5;
  wait_until_measured();
  // On a busy machine a cycle takes long, and all that is allocated meanwhile is left by it.
  double least = kMaxHeap;
  double most = 0;
  for (int i = 0; i < kRounds; ++i) {
    jvm_->command("allocate 400 400");
    const double now = live(agent_.scrape_anew()).value_or(kMaxHeap);
    least = std::min(least, now);
    most = std::max(most, now);
  }
  EXPECT_LE(least, 2 * kRetained) << "its counters were seen to say four times as much";
  std::cout << "live " << least / kMegabyte << " to " << most / kMegabyte << " MB, retained " << kRetained / kMegabyte
            << " MB\n";
}

/// Of JDK 17 with a library that was changed.
class OddPools : public JvmTest {
 protected:
  /// Has the JVM's pauses measured, and nothing of its heap.
  void expect_pauses_alone(Jvm& jvm, const std::string& source) {
    LabelMap labels = jvm.labels();
    labels["source"] = source;
    EXPECT_TRUE(eventually([&] {
      jvm.command("gc");
      return agent_.scrape_anew().sum("manometer_jvm_gc_pause_seconds_count", labels) > 0;
    }));
    const Scraped scraped = agent_.scrape_anew();
    LabelMap info = jvm.labels();
    info["reason"] = "perf_data_off";
    EXPECT_EQ(scraped.value("manometer_jvm_info", info), 1);
    EXPECT_FALSE(scraped.value("manometer_jvm_heap_used_bytes", jvm.labels()));
  }

  Agent agent_{{"--sample-interval", "100ms", "--scan-interval", "1s"}};
};

const JvmSetup kWithoutData{.options = {"-XX:+UseSerialGC", "-XX:-UsePerfData"}};

TEST_F(OddPools, AreNoneWithoutUsdt) {
  const ChangedJdk changed(jdk(), {"objcopy", "--remove-section=.note.stapsdt"});
  Jvm jvm(changed.jdk(), kWithoutData);
  EXPECT_NE(agent_.log_line_with("memory pools cannot be used: it has none"), "");
  expect_pauses_alone(jvm, "symbols");
}

TEST_F(OddPools, AreNoneWhereTheirArgumentsAreSomewhereElse) {
  const ChangedJdk changed(jdk(),
                           {"env", "LC_ALL=C", "sed", "-i", R"(s/\(hotspot\x00mem__pool__gc__end\x00\)8@/\14@/)"});
  Jvm jvm(changed.jdk(), kWithoutData);
  EXPECT_NE(agent_.log_line_with("in a place that is not read, 4@%"), "");
  expect_pauses_alone(jvm, "usdt");
}

INSTANTIATE_TEST_SUITE_P(Jvms, Cycles, testing::ValuesIn([] {
                           std::vector<Combination> all = all_combinations();
                           std::erase_if(all, [](const auto& one) {
                             const bool is_of_11 = one.is("ZGC") && one.jdk == 11;  // its bean ends too early
                             return !is_concurrent(one) || is_of_11 || one.name.starts_with("GenerationalShen");
                           });
                           return all;
                         }()),
                         [](const auto& one) { return one.param.name + std::to_string(one.param.jdk); });

INSTANTIATE_TEST_SUITE_P(Jvms, Pools, testing::ValuesIn([] {
                           std::vector<Combination> all = all_combinations();
                           // JDK 8 has no such probes here, and Epsilon never collects.
                           std::erase_if(all, [](const auto& one) { return one.jdk == 8 || one.is("Epsilon"); });
                           return all;
                         }()),
                         [](const auto& one) { return one.param.name + std::to_string(one.param.jdk); });

}  // namespace
}  // namespace manometer::test
