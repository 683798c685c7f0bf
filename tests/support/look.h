#pragma once

#include <string>
#include <sys/types.h>

#include "agent/jvm/perf_reader.h"
#include "tests/support/fake_node.h"

namespace manometer::test {

/// A reading in words: "threads 7", "gone", or the failure with its details.
std::string describe(const jvm::PerfReader::Reading& reading);

/// What the agent makes of a process with all its rights, in words: it reads by the mapping's link.
std::string look(const FakeNode& node, pid_t pid);

/// The same in a process of another user that may not follow the mapping's link: it reads through the process's root.
std::string look_without_rights(const FakeNode& node, pid_t pid);

}  // namespace manometer::test
