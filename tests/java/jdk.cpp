#include "tests/java/jdk.h"

#include <filesystem>

#include "tests/support/child.h"

namespace manometer::test {

std::string Jdk::java(const std::string& root) const {
  return is_tree() ? "/usr/lib/jvm/java-8-openjdk-amd64/jre/bin/java" : root + "/bin/java";
}

Result<Jdk> fetch_jdk(int version) {
  Finished fetched = run({MANOMETER_FETCH_JDK, std::to_string(version)});
  if (fetched.code != 0) return Error("JDK " + std::to_string(version) + " cannot be fetched: " + fetched.err);
  fetched.out.resize(fetched.out.find('\n'));
  return Jdk{version, fetched.out};
}

Result<std::string> workload_classes() {
  const std::string directory = MANOMETER_WORKLOAD_CLASSES;
  if (std::filesystem::exists(directory + "/Workload.class")) return directory;
  return Error("there was no javac to compile tests/java/Workload.java: install openjdk-17-jdk-headless, run cmake");
}

}  // namespace manometer::test
