#include "agent/cli/top_table.h"

#include <algorithm>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace manometer::cli {
namespace {

using testing::HasSubstr;

TopScrape scrape(const std::string& text, std::chrono::seconds at) {
  return {*metrics::parse_prometheus_text(text), TimePoint(at)};
}

std::string jvm(const std::string& labels, double gc_seconds) {
  std::ostringstream out;
  out << "manometer_jvm_info{" << labels << ",collector=\"G1\",tier=\"hsperfdata\"} 1\n"
      << "manometer_jvm_heap_used_bytes{" << labels << ",updated=\"continuously\"} 104857600\n"
      << "manometer_jvm_heap_max_bytes{" << labels << "} 268435456\n"
      << "manometer_jvm_heap_live_bytes{" << labels << ",source=\"collection\"} 73400320\n"
      << "manometer_jvm_safepoint_seconds_total{" << labels << "} " << gc_seconds * 2 << '\n'
      << "manometer_jvm_gc_pause_seconds_sum{" << labels << ",collector=\"a\",cause=\"b\"} " << gc_seconds / 2 << '\n'
      << "manometer_jvm_gc_pause_seconds_sum{" << labels << ",collector=\"c\",cause=\"d\"} " << gc_seconds / 2 << '\n';
  return out.str();
}

constexpr const char* kMemory =
    "manometer_container_memory_working_set_bytes{container=\"app\"} 333447168\n"
    "manometer_container_memory_limit_bytes{container=\"app\"} 536870912\n";

TEST(TopTable, ShowsSharesBetweenTwoScrapes) {
  const std::string labels = "container=\"app\",pid=\"7\"";
  const auto before = scrape(jvm(labels, 1.0) + kMemory, std::chrono::seconds(10));
  const auto now = scrape(jvm(labels, 1.5) + kMemory, std::chrono::seconds(20));
  EXPECT_EQ(draw(make_rows(before, now)),
            "CONTAINER               PID COLLECTOR     HEAP/MAX  LIVE   GC% STOP%   MEM/LIMIT\n"
            "app                       7 G1           100M/256M   70M   5.0  10.0   318M/512M\n");
}

TEST(TopTable, WithoutAnEarlierScrapeThereAreNoShares) {
  const auto rows = make_rows(std::nullopt, scrape(jvm("container=\"app\",pid=\"7\"", 1), std::chrono::seconds(1)));
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_FALSE(rows[0].gc_ratio);
  EXPECT_FALSE(rows[0].container_bytes);
}

TEST(TopTable, TheWorstComesFirst) {
  const auto before = scrape(jvm("pid=\"1\"", 1) + jvm("pid=\"2\"", 1), std::chrono::seconds(0));
  const auto now = scrape(jvm("pid=\"1\"", 1) + jvm("pid=\"2\"", 2), std::chrono::seconds(10));
  EXPECT_EQ(make_rows(before, now)[0].pid, "2");
}

TEST(TopTable, ACounterThatRestartedIsNotNegative) {
  const auto before = scrape(jvm("pid=\"1\"", 5), std::chrono::seconds(0));
  const auto now = scrape(jvm("pid=\"1\"", 1), std::chrono::seconds(10));
  EXPECT_EQ(make_rows(before, now)[0].gc_ratio, 0);
}

TEST(TopTable, SaysWhyAJvmIsNotRead) {
  const auto now = scrape("manometer_jvm_info{container=\"app\",pid=\"7\",tier=\"none\",reason=\"perf_data_off\"} 1\n",
                          std::chrono::seconds(0));
  EXPECT_THAT(draw(make_rows(std::nullopt, now)), HasSubstr("app                       7 not read: perf_data_off\n"));
}

TEST(TopTable, FitsIn80ColumnsWhateverTheNames) {
  const std::string labels =
      "namespace=\"" + std::string(253, 'n') + "\",pod=\"p\",container=\"evil\x1b[2J\",pid=\"123456789012345\"";
  const std::string table = draw(make_rows(std::nullopt, scrape(jvm(labels, 1), std::chrono::seconds(0))));
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  EXPECT_TRUE(std::ranges::all_of(table, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
}

TEST(TopTable, AnEmptyNodeIsSaid) {
  EXPECT_THAT(draw({}), HasSubstr("no JVM runs here"));
}

TEST(HumanBytes, HasAtMostFiveCharacters) {
  EXPECT_EQ(human_bytes(0), "0B");
  EXPECT_EQ(human_bytes(1023), "1023B");
  EXPECT_EQ(human_bytes(1024), "1.0K");
  EXPECT_EQ(human_bytes(9.94 * 1048576), "9.9M");
  EXPECT_EQ(human_bytes(9.96 * 1048576), "10M");
  EXPECT_EQ(human_bytes(512.0 * 1048576), "512M");
  EXPECT_EQ(human_bytes(1536.0 * 1048576), "1.5G");
}

}  // namespace
}  // namespace manometer::cli
