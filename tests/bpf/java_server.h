#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "tests/java/jdk.h"
#include "tests/support/agent.h"
#include "tests/support/child.h"
#include "tests/support/temp_dir.h"

namespace manometer::test {

/// How a server in a JVM is started.
struct JavaServerSetup {
  std::string kind;                        // of Servers.java, or "tomcat"
  int threads = 1;                         // that work, where the kind does not say itself
  std::chrono::microseconds service{0};    // how long each request takes one of them
  std::vector<std::string> options = {};   // of java
  std::vector<std::string> launcher = {};  // command that becomes the JVM
};

/// Why this kind of server cannot run in this JDK: for a person to act on. nullopt if it can.
std::optional<std::string> why_no_server(const Jdk& jdk, const std::string& kind);

/// A JVM with an HTTP server on loopback. It ends with the object.
class JavaServer {
 public:
  /// Throws if it does not come up.
  JavaServer(const Jdk& jdk, const JavaServerSetup& setup);
  ~JavaServer();
  JavaServer(const JavaServer&) = delete;
  JavaServer& operator=(const JavaServer&) = delete;

  uint16_t port() const { return port_; }
  pid_t pid() const;
  /// Of its series.
  LabelMap labels() const { return {{"pid", std::to_string(pid())}}; }

 private:
  TempDir work_;
  Child child_;
  uint16_t port_ = 0;
};

}  // namespace manometer::test
