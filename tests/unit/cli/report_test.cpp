#include "agent/cli/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace manometer::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

Report of(const JvmFinding& jvm) {
  return {"node", {{"processes", Status::kOk, true, "7 in /proc", ""}}, {jvm}};
}

JvmFinding measured() {
  JvmFinding jvm;
  jvm.pid = 7;
  jvm.container = "shop/web-0/app";
  jvm.pressure.emplace();
  jvm.pressure->load = 0.25;
  jvm.pressure->index = 0.5;
  return jvm;
}

JvmFinding leaking() {
  JvmFinding jvm = measured();
  jvm.pressure->live_growth_bytes_per_second = 4096;
  jvm.pressure->leak_suspected = true;
  return jvm;
}

TEST(Report, HasNoPressureThatWasNotMeasured) {
  JvmFinding jvm = measured();
  jvm.pressure.reset();
  EXPECT_THAT(to_table(of(jvm)), Not(HasSubstr("MEMORY PRESSURE")));
  EXPECT_THAT(to_json(of(jvm)), Not(HasSubstr("memory_pressure")));
}

TEST(Report, LeavesOpenWhatIsNotKnownOfThePressure) {
  const Report report = of(measured());
  EXPECT_THAT(to_table(report),
              testing::ContainsRegex("shop/web-0/app +7  0.25  0.50     -     -     -     -     -     -    -\n"));
  EXPECT_THAT(to_json(report), HasSubstr(R"("memory_pressure":{"load":2.5E-1,"index":5E-1,"gc":null,"stall":null,)"));
}

TEST(Report, TellsOfALeak) {
  EXPECT_THAT(to_table(of(leaking())), HasSubstr("  yes\n"));
  EXPECT_THAT(to_json(of(leaking())), HasSubstr(R"("live_set_growth_bytes_per_second":4.096E3,"leak_suspected":true)"));
}

TEST(Report, KeepsANameFromTheTerminalThatReadsIt) {
  JvmFinding jvm = measured();
  jvm.container = "\x1b[2J";
  EXPECT_THAT(to_table(of(jvm)), AllOf(HasSubstr("[2J"), Not(HasSubstr("\x1b"))));
  EXPECT_THAT(to_json(of(jvm)), Not(HasSubstr("\x1b")));
  jvm.container = "";
  EXPECT_THAT(to_table(of(jvm)), testing::ContainsRegex("\n- +7  0.25"));
}

}  // namespace
}  // namespace manometer::cli
