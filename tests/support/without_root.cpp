#include "tests/support/without_root.h"

#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

namespace manometer::test {
namespace {
constexpr uid_t kNobody = 65534;
constexpr unsigned kPatienceSeconds = 30;
}  // namespace

bool drop_root() {
  if (::getuid() != 0) return true;
  return ::setgroups(0, nullptr) == 0 && ::setgid(kNobody) == 0 && ::setuid(kNobody) == 0;
}

bool without_root(const std::function<bool()>& check) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(kPatienceSeconds);  // what blocks must not outlive the test
    ::_exit(drop_root() && check() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace manometer::test
