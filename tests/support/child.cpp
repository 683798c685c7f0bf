#include "tests/support/child.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

extern char** environ;  // NOLINT(readability-identifier-naming): POSIX's name

namespace manometer::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPollInterval{5};

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (std::string& string : strings) out.push_back(string.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> with_ours(const std::vector<std::string>& more) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPollInterval);
  }
  return true;
}

Child::Child(const std::vector<std::string>& command, const std::vector<std::string>& environment) {
  // A child that ended shall fail the test that writes to it, not end it.
  ::signal(SIGPIPE, SIG_IGN);
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.write.get(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t as_usual;
  sigemptyset(&as_usual);
  sigaddset(&as_usual, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &as_usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> arguments = command;
  std::vector<std::string> variables = with_ours(environment);
  const int code = ::posix_spawnp(&pid_, command.at(0).c_str(), &actions, &attributes, pointers(arguments).data(),
                                  pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (code != 0) throw std::system_error(code, std::generic_category(), "start " + command.at(0));
  stdin_ = std::move(in.write);
  stdout_.fd = std::move(out.read);
  stderr_.fd = std::move(err.read);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      stdin_(std::move(other.stdin_)),
      stdout_(std::move(other.stdout_)),
      stderr_(std::move(other.stderr_)),
      status_(other.status_) {}

Child::~Child() {
  if (pid_ < 0 || status_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Child::signal(int number) const {
  if (!status_) ::kill(pid_, number);
}

void Child::write_line(const std::string& line) const {
  const std::string bytes = line + '\n';
  if (::write(stdin_.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    throw std::system_error(errno, std::generic_category(), "write to child");
}

/// Waits for more bytes; false at the end of the stream or the deadline.
bool Child::Stream::fill(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  pollfd poll_fd{fd.get(), POLLIN, 0};
  if (::poll(&poll_fd, 1, std::max(0, static_cast<int>(left.count()))) <= 0) return false;
  char chunk[4096];
  const ssize_t n = ::read(fd.get(), chunk, sizeof(chunk));
  if (n <= 0) return false;
  buffer.append(chunk, static_cast<size_t>(n));
  return true;
}

std::optional<std::string> Child::Stream::line(std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  size_t end = 0;
  while ((end = buffer.find('\n')) == std::string::npos) {
    if (!fill(deadline)) return std::nullopt;
  }
  std::string out = buffer.substr(0, end);
  buffer.erase(0, end + 1);
  return out;
}

std::string Child::Stream::rest() {
  const auto deadline = Clock::now() + kPatience;
  while (fill(deadline)) {
  }
  return std::exchange(buffer, {});
}

std::optional<std::string> Child::read_line(std::chrono::milliseconds patience) {
  return stdout_.line(patience);
}
std::optional<std::string> Child::read_error_line(std::chrono::milliseconds patience) {
  return stderr_.line(patience);
}
std::string Child::read_all() {
  return stdout_.rest();
}
std::string Child::read_all_errors() {
  return stderr_.rest();
}

std::optional<int> Child::wait(std::chrono::milliseconds patience) {
  if (status_) return status_;
  int status = 0;
  if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, patience)) return std::nullopt;
  constexpr int kSignalled = 128;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
  return status_;
}

Finished run(const std::vector<std::string>& command, const std::vector<std::string>& environment) {
  Child child(command, environment);
  child.close_stdin();
  // A thread each, because a program may fill either pipe first.
  std::string errors;
  std::thread reader([&] { errors = child.read_all_errors(); });
  std::string out = child.read_all();
  reader.join();
  const auto code = child.wait();
  if (!code) throw std::runtime_error(command.at(0) + " does not end");
  return {*code, std::move(out), std::move(errors)};
}

}  // namespace manometer::test
