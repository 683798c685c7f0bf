#include "tests/support/forked.h"

#include <csignal>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace manometer::test {
namespace {

[[noreturn]] void serve(int pipe, const std::function<std::string()>& set_up) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    const std::string said = set_up();
    if (::write(pipe, said.data(), said.size()) == static_cast<ssize_t>(said.size())) {
      ::close(pipe);
      for (;;) ::pause();
    }
  } catch (const std::exception& error) {
    std::fputs(error.what(), stderr);
  }
  ::_exit(1);
}

}  // namespace

Forked::Forked(const std::function<std::string()>& set_up) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("pipe");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::close(ends[0]);
    serve(ends[1], set_up);
  }
  ::close(ends[1]);
  char chunk[1024];
  for (ssize_t n = 0; (n = ::read(ends[0], chunk, sizeof(chunk))) > 0;) said_.append(chunk, static_cast<size_t>(n));
  ::close(ends[0]);
  if (pid_ < 0 || ::waitpid(pid_, nullptr, WNOHANG) != 0) throw std::runtime_error("the child did not come up");
}

Forked::~Forked() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Forked::end() const {
  ::kill(pid_, SIGKILL);
  siginfo_t ended;
  ::waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOWAIT);
}

}  // namespace manometer::test
