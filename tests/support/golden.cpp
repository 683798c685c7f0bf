#include "tests/support/golden.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/support/child.h"
#include "tests/support/temp_dir.h"

namespace manometer::test {
namespace {

std::string read(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

std::string difference(const std::string& path, const std::string& actual) {
  const TempDir dir;
  dir.write("actual", actual);
  return run({"diff", "--unified=1", path, dir.path() / "actual"}).out;
}

}  // namespace

bool updating_golden() {
  const char* value = std::getenv("MANOMETER_UPDATE_GOLDEN");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return value != nullptr && std::string_view(value) == "1";
}

void expect_golden_file(const std::string& path, const std::string& actual) {
  if (read(path) == actual) return;
  if (updating_golden()) {
    std::ofstream(path, std::ios::binary) << actual;
    GTEST_LOG_(INFO) << "rewrote " << path;
    return;
  }
  ADD_FAILURE() << path << " is not what the code makes (MANOMETER_UPDATE_GOLDEN=1 rewrites it):\n"
                << difference(path, actual);
}

void expect_golden_section(const std::string& path, const std::string& name, const std::string& actual) {
  const std::string content = read(path);
  const std::string begin = "<!-- begin " + name + " -->\n";
  const std::string end = "<!-- end " + name + " -->\n";
  const size_t from = content.find(begin);
  const size_t to = content.find(end);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos && from < to) << path << " has no part " << name;
  expect_golden_file(path, content.substr(0, from + begin.size()) + actual + content.substr(to));
}

}  // namespace manometer::test
