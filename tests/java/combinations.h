#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace manometer::test {

/// A JDK with one of its collectors.
struct Combination {
  int jdk = 0;
  std::string name;  // for the test's own name
  std::vector<std::string> options;
  std::string collector;  // as the agent calls it
  std::string updated;    // when this JVM brings its used bytes up to date, as the agent says

  bool is(std::string_view other) const { return collector == other; }
};

inline std::ostream& operator<<(std::ostream& out, const Combination& combination) {
  return out << "JDK " << combination.jdk << " with " << combination.name;
}

/// Every collector of every JDK from 8 to 25 that is supported for long.
std::vector<Combination> all_combinations();

}  // namespace manometer::test
