#include "tests/java/combinations.h"

#include <algorithm>

namespace manometer::test {
namespace {

constexpr int kNewest = 25;

/// One collector, in the JDKs that have it. From JDK 25 on nothing samples the heap between collections.
void add(std::vector<Combination>& all, const Combination& collector, int first, int last = kNewest) {
  for (const int jdk : {8, 11, 17, 21, 25}) {
    if (jdk < first || jdk > last) continue;
    Combination added = collector;
    added.jdk = jdk;
    if (added.updated.empty()) added.updated = jdk < kNewest ? "periodically" : "at_gc";
    all.push_back(std::move(added));
  }
}

}  // namespace

std::vector<Combination> all_combinations() {
  const std::string experimental = "-XX:+UnlockExperimentalVMOptions";
  std::vector<Combination> all;
  add(all, {0, "Serial", {"-XX:+UseSerialGC"}, "Serial", ""}, 8);
  add(all, {0, "Parallel", {"-XX:+UseParallelGC"}, "Parallel", ""}, 8);
  add(all, {0, "CMS", {"-XX:+UseConcMarkSweepGC"}, "CMS", ""}, 8, 11);
  add(all, {0, "G1", {"-XX:+UseG1GC"}, "G1", "continuously"}, 8);
  add(all, {0, "ZGC", {experimental, "-XX:+UseZGC"}, "ZGC", "at_gc"}, 11, 17);
  add(all, {0, "ZGC", {"-XX:+UseZGC", "-XX:-ZGenerational"}, "ZGC", "at_gc"}, 21, 21);
  add(all, {0, "GenerationalZGC", {"-XX:+UseZGC", "-XX:+ZGenerational"}, "Generational ZGC", "at_gc"}, 21, 21);
  add(all, {0, "GenerationalZGC", {"-XX:+UseZGC"}, "Generational ZGC", "at_gc"}, 25);
  add(all, {0, "Shenandoah", {experimental, "-XX:+UseShenandoahGC"}, "Shenandoah", "periodically"}, 11);
  const std::vector<std::string> generational{"-XX:+UseShenandoahGC", "-XX:ShenandoahGCMode=generational"};
  add(all, {0, "GenerationalShenandoah", generational, "Shenandoah", "periodically"}, 25);
  add(all, {0, "Epsilon", {experimental, "-XX:+UseEpsilonGC"}, "Epsilon", "continuously"}, 11);
  std::ranges::stable_sort(all, {}, &Combination::jdk);
  return all;
}

}  // namespace manometer::test
