#include "agent/base/log.h"

#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include "agent/base/result.h"

namespace manometer {
namespace {

TEST(Printable, EscapesWhatCouldSteerATerminal) {
  EXPECT_EQ(printable("app-1.service"), "app-1.service");
  EXPECT_EQ(printable("a\x1b[2Jb\n\xff\\"), "a\\x1b[2Jb\\x0a\\xff\\x5c");
}

TEST(LogOnceTest, SaysEachCauseOnceAndStopsAtAThousand) {
  std::ostringstream out;
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_st>(out)));
  LogOnce log;
  log.warn("a", "first");
  log.warn("a", "again");
  EXPECT_NE(out.str().find("first"), std::string::npos);
  EXPECT_EQ(out.str().find("again"), std::string::npos);
  for (int i = 0; i < 2000; ++i) log.warn("cause " + std::to_string(i), "made up");
  EXPECT_NE(out.str().find("1000 different causes"), std::string::npos);
  const std::string text = out.str();
  EXPECT_LT(std::ranges::count(text, '\n'), 1010);
}

TEST(ErrorTest, KeepsTheNumberUnderItsContext) {
  const Error error = Error::from_errno("open x", ENOENT).with_context("pid 1");
  EXPECT_EQ(error.message(), "pid 1: open x: No such file or directory");
  EXPECT_EQ(error.number(), ENOENT);
}

}  // namespace
}  // namespace manometer
