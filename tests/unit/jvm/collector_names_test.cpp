#include "agent/jvm/collector_names.h"

#include <gtest/gtest.h>

#include "bpf/gc.h"

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

TEST(KnownCause, IsToldByTheHashThatTheKernelMakes) {
  for (const char* cause : {"System.gc()", "G1 Evacuation Pause", "Old Generation Expanded On Last Scavenge"})
    EXPECT_EQ(known_cause_of(gc_series_key(gc_hash(cause), 2)), cause);
  EXPECT_EQ(known_cause_of(gc_series_key(gc_hash("System.gc( )"), 2)), "other");
  EXPECT_EQ(known_cause_of(gc_series_key(0, GC_COLLECTORS)), "") << "of a JVM that tells none";
}

}  // namespace
}  // namespace manometer::jvm
