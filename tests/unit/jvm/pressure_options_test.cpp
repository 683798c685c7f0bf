#include "agent/jvm/pressure_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace manometer::jvm {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(SetKnees, SetsThoseOfOneComponent) {
  PressureOptions options;
  ASSERT_TRUE(set_knees(options, "gc:0.2:0.5"));
  EXPECT_EQ(options.gc, (Knees{0.2, 0.5}));
  EXPECT_EQ(options.live, kLiveKnees);
  ASSERT_TRUE(set_knees(options, "overcommit:0:10"));
  EXPECT_EQ(options.overcommit, (Knees{0, 10}));
  for (const char* name : {"stall", "live", "psi", "oom"})
    EXPECT_TRUE(set_knees(options, std::string(name) + ":0.3:0.4")) << name;
  for (const auto knees : {options.stall, options.live, options.psi, options.oom}) EXPECT_EQ(knees, (Knees{0.3, 0.4}));
}

class BadKnees : public testing::TestWithParam<const char*> {};

TEST_P(BadKnees, AreRefusedAndChangeNothing) {
  PressureOptions options;
  const auto set = set_knees(options, GetParam());
  ASSERT_FALSE(set);
  EXPECT_THAT(set.error().message(), testing::HasSubstr("NAME:LOW:HIGH"));
  EXPECT_EQ(options.gc, kGcKnees);
}

INSTANTIATE_TEST_SUITE_P(All, BadKnees,
                         testing::Values("", "gc", "gc:", "gc:0.1", "gc:0.1:", "gc::0.4", "gc:0.1:0.4:1", "GC:0.1:0.4",
                                         "load:0.1:0.4", "gc:0.4:0.1", "gc:0.1:0.1", "gc:-0.1:0.4", "gc:0.1:11",
                                         "gc:nan:0.4", "gc:0.1:nan", "gc:0.1:inf", "gc: 0.1:0.4", "gc:0.1:0.4 "),
                         [](const auto& test) { return "Case" + std::to_string(test.index); });

TEST(WithRoomFor, LeavesWindowsThatAreLongEnough) {
  const PressureOptions options = with_room_for({}, seconds(15));
  EXPECT_EQ(options.window, minutes(1));
  EXPECT_EQ(options.leak_window, minutes(10));
}

TEST(WithRoomFor, MakesWindowsLongEnoughForFewSamples) {
  const PressureOptions options = with_room_for({}, minutes(1));
  EXPECT_EQ(options.window, minutes(4));
  EXPECT_EQ(options.leak_window, minutes(24));
}

}  // namespace
}  // namespace manometer::jvm
