#pragma once
// What the tests of odd JVMs share.

#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "tests/java/jvm.h"

namespace manometer::test {

/// A test with JDKs; skips if the workload cannot run.
class JvmTest : public testing::Test {
 protected:
  void SetUp() override;

  /// Throws if it is another than 17 and cannot be fetched.
  static Jdk jdk(int version = 17);
};

/// True if the JVM is listed as read in this way, and once.
bool is_read_by(const Scraped& scraped, const LabelMap& jvm, const std::string& tier);

/// True if the JVM is listed once, as not read for this reason, and has no values.
bool is_refused_for(const Scraped& scraped, const LabelMap& jvm, const std::string& reason);

/// True if there is no series of it.
bool is_gone(const Scraped& scraped, const LabelMap& jvm);

/// Expects the agent to read the JVM in this way, and to read the right values: those of this JVM, as they change.
void expect_followed(const Agent& agent, Jvm& jvm, const std::string& tier);

/// Launchers of an agent that sees nothing but itself, and of a JVM that it sees.
std::vector<std::string> in_new_pid_namespace();
std::vector<std::string> in_pid_namespace_of(Agent& agent);

/// Stops the agent, and expects that it had nothing to say against the process. Its counters may count the JVMs of
/// other tests, which run at the same time.
void expect_no_complaint(Agent& agent, pid_t pid);

}  // namespace manometer::test
