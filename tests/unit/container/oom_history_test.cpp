#include "agent/container/oom_history.h"

#include <gtest/gtest.h>

namespace manometer::container {
namespace {

Target pod(const std::string& name) {
  return {"shop", name, "app", std::nullopt};
}

TEST(OomHistory, SumsTheKillsOfAContainerThatStartedAgain) {
  OomHistory history;
  history.add(pod("a"), "/1", 1);
  history.add(pod("a"), "/2", 2);
  history.add(pod("b"), "/3", 1);
  EXPECT_EQ(history.all().at(pod("a")).count, 3U);
  EXPECT_EQ(history.all().at(pod("a")).path, "/2");
  EXPECT_EQ(history.all().at(pod("b")).count, 1U);
}

TEST(OomHistory, HasNoneThatWereNotKilled) {
  OomHistory history;
  history.add(pod("a"), "/1", 0);
  EXPECT_TRUE(history.all().empty());
}

TEST(OomHistory, ForgetsTheOneWithoutAKillForTheLongestTime) {
  OomHistory history(2);
  history.add(pod("b"), "/", 1);
  history.add(pod("a"), "/", 1);
  history.add(pod("b"), "/", 1);
  history.add(pod("c"), "/", 1);
  EXPECT_EQ(history.all().size(), 2U);
  EXPECT_FALSE(history.all().contains(pod("a")));
  EXPECT_EQ(history.all().at(pod("b")).count, 2U);
}

}  // namespace
}  // namespace manometer::container
