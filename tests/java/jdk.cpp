#include "tests/java/jdk.h"

#include <filesystem>
#include <stdexcept>

#include "tests/support/child.h"

namespace manometer::test {

namespace fs = std::filesystem;

std::string Jdk::java(const std::string& root) const {
  return is_tree() ? "/usr/lib/jvm/java-8-openjdk-amd64/jre/bin/java" : root + "/bin/java";
}

ChangedJdk::ChangedJdk(const Jdk& jdk, std::vector<std::string> command) : jdk_{jdk.version, copy_.path() / "jdk"} {
  fs::copy(jdk.directory, jdk_.directory, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  const fs::path library = fs::path(jdk_.directory) / "lib/server/libjvm.so";
  fs::permissions(library, fs::perms::owner_write, fs::perm_options::add);
  command.push_back(library);
  if (const Finished changed = run(command); changed.code != 0)
    throw std::runtime_error("libjvm.so cannot be changed: " + changed.err);
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
