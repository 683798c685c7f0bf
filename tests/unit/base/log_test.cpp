#include "agent/base/log.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/result.h"
#include "tests/support/captured_log.h"

namespace manometer {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(Printable, EscapesWhatCouldSteerATerminal) {
  EXPECT_EQ(printable("app-1.service"), "app-1.service");
  EXPECT_EQ(printable("a\x1b[2Jb\n\xff\\"), "a\\x1b[2Jb\\x0a\\xff\\x5c");
}

TEST(LogOnceTest, SaysEachCauseOnce) {
  const test::CapturedLog log;
  LogOnce once;
  once.warn("a", "first");
  once.warn("a", "again");
  once.warn("b", "first of another");
  EXPECT_THAT(log.text(), AllOf(HasSubstr("first (said once)"), HasSubstr("first of another (said once)")));
  EXPECT_THAT(log.text(), Not(HasSubstr("again")));
}

TEST(LogOnceTest, StopsAtAThousandCausesAndSaysSo) {
  const test::CapturedLog log;
  LogOnce once;
  for (int i = 0; i < 2000; ++i) once.warn("cause " + std::to_string(i), "made up " + std::to_string(i));
  const std::string text = log.text();
  EXPECT_EQ(std::ranges::count(text, '\n'), 1001);
  EXPECT_THAT(text, AllOf(HasSubstr("made up 999 "), Not(HasSubstr("made up 1000 ")),
                          HasSubstr("1000 different causes logged")));
}

TEST(ErrorTest, KeepsTheNumberUnderItsContext) {
  const Error error = Error::from_errno("open x", ENOENT).with_context("pid 1");
  EXPECT_EQ(error.message(), "pid 1: open x: No such file or directory");
  EXPECT_EQ(error.number(), ENOENT);
}

}  // namespace
}  // namespace manometer
