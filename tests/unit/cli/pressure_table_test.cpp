#include "agent/cli/pressure_table.h"

#include <algorithm>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace manometer::cli {
namespace {

using testing::ElementsAre;

TopScrape scrape(const std::string& text) {
  return {*metrics::parse_prometheus_text(text), TimePoint()};
}

std::string info(const std::string& labels) {
  return "manometer_jvm_info{" + labels + ",collector=\"G1\"} 1\n";
}

std::string index_of(const std::string& labels, double value) {
  return info(labels) + "manometer_jvm_memory_pressure_ratio{" + labels + "} " + std::to_string(value) + "\n";
}

TEST(PressureTable, ShowsWhatItIsMadeOf) {
  const std::string text =
      index_of("container=\"app\",pid=\"7\"", 0.75) +
      "manometer_jvm_memory_pressure_load_ratio{container=\"app\",pid=\"7\"} 0.125\n"
      "manometer_jvm_memory_pressure_component_ratio{container=\"app\",pid=\"7\",component=\"gc\"} 0.125\n"
      "manometer_jvm_memory_pressure_component_ratio{container=\"app\",pid=\"7\",component=\"live\"} 0.75\n"
      "manometer_jvm_memory_pressure_component_ratio{container=\"app\",pid=\"7\",component=\"psi\"} 0\n"
      "manometer_jvm_heap_limit_overcommit_ratio{container=\"app\",pid=\"7\"} 1.1\n"
      "manometer_jvm_leak_suspected{container=\"app\",pid=\"7\"} 1\n";
  EXPECT_EQ(draw_pressure(make_pressure_rows(scrape(text))),
            "MEMORY PRESSURE (0 to 1; scale on LOAD, alert on the rest; -: not known yet)\n"
            "CONTAINER               PID  LOAD INDEX    GC STALL  LIVE   PSI   OOM  OVER LEAK\n"
            "app                       7  0.12  0.75  0.12     -  0.75  0.00     -  1.10  yes\n");
}

TEST(PressureTable, WhatIsNotKnownIsNotZero) {
  EXPECT_EQ(draw_pressure(make_pressure_rows(scrape(info("pid=\"7\"")))),
            "MEMORY PRESSURE (0 to 1; scale on LOAD, alert on the rest; -: not known yet)\n"
            "CONTAINER               PID  LOAD INDEX    GC STALL  LIVE   PSI   OOM  OVER LEAK\n"
            "-                         7     -     -     -     -     -     -     -     -    -\n");
}

TEST(PressureTable, TheWorstComesFirst) {
  const auto rows =
      make_pressure_rows(scrape(info("pid=\"1\"") + index_of("pid=\"2\"", 0) + index_of("pid=\"3\"", 0.5)));
  std::vector<std::string> pids;
  std::ranges::transform(rows, std::back_inserter(pids), &PressureRow::pid);
  EXPECT_THAT(pids, ElementsAre("3", "2", "1"));
}

TEST(PressureTable, LeavesOutWhatIsNotRead) {
  EXPECT_EQ(draw_pressure(make_pressure_rows(scrape(info("pid=\"1\",reason=\"denied\"")))), "");
}

TEST(PressureTable, FitsIn80ColumnsWhateverTheNames) {
  const std::string labels =
      "namespace=\"" + std::string(253, 'n') + "\",pod=\"p\",container=\"evil\x1b[2J\",pid=\"123456789012345\"";
  const std::string table = draw_pressure(make_pressure_rows(scrape(index_of(labels, 1))));
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  EXPECT_TRUE(std::ranges::all_of(table, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
}

}  // namespace
}  // namespace manometer::cli
