#include "tests/support/look.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>
#include <variant>

#include <fmt/format.h>

#include "agent/jvm/inspect.h"
#include "tests/support/without_root.h"

namespace manometer::test {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kPatienceSeconds = 30;

std::string describe(const jvm::Refusal& refusal) {
  return fmt::format("{}: {}", to_string(refusal.failure), refusal.detail);
}

/// What the child of a fork writes into the pipe: work's words, or why there are none.
[[noreturn]] void answer(int pipe, const FakeNode& node, pid_t pid) {
  ::alarm(kPatienceSeconds);  // a read that blocks must not outlive the test
  const std::string words = drop_root() ? look(node, pid) : "cannot drop root";
  ::_exit(::write(pipe, words.data(), words.size()) == static_cast<ssize_t>(words.size()) ? 0 : 1);
}

}  // namespace

std::string describe(const jvm::PerfReader::Reading& reading) {
  if (std::holds_alternative<jvm::Gone>(reading)) return "gone";
  if (const auto* refusal = std::get_if<jvm::Refusal>(&reading)) return describe(*refusal);
  return fmt::format("threads {}", std::get<jvm::PerfSample>(reading).threads.value_or(0));
}

std::string look(const FakeNode& node, pid_t pid) {
  const auto proc = node::ProcFs::open(node.proc());
  if (!proc) throw std::runtime_error(proc.error().message());
  auto inspection = jvm::inspect(*proc, pid);
  if (std::holds_alternative<jvm::Gone>(inspection)) return "gone";
  if (std::holds_alternative<jvm::NotJvm>(inspection)) return "not a JVM";
  if (const auto* refusal = std::get_if<jvm::Refusal>(&inspection)) return describe(*refusal);
  return describe(jvm::PerfReader(std::get<jvm::FoundJvm>(inspection).process).read(std::chrono::steady_clock::now()));
}

std::string look_without_rights(const FakeNode& node, pid_t pid) {
  const fs::path links = node.process(pid) / "map_files";
  fs::permissions(links, fs::perms::none);
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("pipe");
  const pid_t child = ::fork();
  if (child == 0) answer(ends[1], node, pid);
  ::close(ends[1]);
  std::string words;
  char chunk[1024];
  for (ssize_t n = 0; (n = ::read(ends[0], chunk, sizeof(chunk))) > 0;) words.append(chunk, static_cast<size_t>(n));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  fs::permissions(links, fs::perms::owner_all);
  return status == 0 ? words : fmt::format("ended with status {:#x} after '{}'", status, words);
}

}  // namespace manometer::test
