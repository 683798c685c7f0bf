// What the agent does as an ordinary user. Needs root, to become one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/agent.h"

namespace manometer {
namespace {

using test::agent_binary;
using testing::AllOf;
using testing::HasSubstr;

test::Finished as_nobody(std::vector<std::string> arguments) {
  std::vector<std::string> command{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", agent_binary()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return test::run(command);
}

TEST(Rights, TheNodeVariantSaysWhichAreMissing) {
  const test::Finished run = as_nobody({"run", "--listen", "127.0.0.1:0"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, AllOf(HasSubstr("CAP_SYS_PTRACE"), HasSubstr("--variant sidecar")));
  EXPECT_EQ(std::ranges::count(run.err, '\n'), 1) << run.err;
}

TEST(Rights, CheckFailsAndAdvises) {
  const test::Finished check = as_nobody({"check"});
  EXPECT_EQ(check.code, 2);
  EXPECT_THAT(check.out, AllOf(HasSubstr("add the capability SYS_PTRACE"), HasSubstr("BPF and PERFMON"),
                               HasSubstr("The node variant does NOT work here.")));
}

TEST(Rights, CheckPassesForRoot) {
  const test::Finished check = test::run({agent_binary(), "check"});
  EXPECT_EQ(check.code, 0) << check.out;
  EXPECT_THAT(check.out, HasSubstr("probe process          ok"));
}

}  // namespace
}  // namespace manometer
