#include "agent/jvm/collector_names.h"

#include <gtest/gtest.h>

namespace manometer::jvm {
namespace {

TEST(CollectorNames, AreTheBeans) {
  EXPECT_EQ(find_collector("PSParallelCompact")->bean, "PS MarkSweep");
  EXPECT_TRUE(find_collector("Parallel full collection pauses")->full);
  EXPECT_FALSE(find_collector("Shenandoah partial")) << "it never runs";
  EXPECT_FALSE(find_collector("")) << "what a JVM without collectors has";
}

TEST(KnownCause, TakesNothingElse) {
  EXPECT_EQ(known_cause("Allocation Stall"), "Allocation Stall");
  EXPECT_EQ(known_cause("allocation stall"), "other");
  EXPECT_EQ(known_cause(""), "other");
}

}  // namespace
}  // namespace manometer::jvm
