#include "tests/java/jvm.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include <fmt/format.h>

#include "agent/node/proc_fs.h"
#include "agent/node/read_file.h"

namespace manometer::test {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kEndsWithin{10};

bool is_sandboxed(const Jdk& jdk, const JvmSetup& setup) {
  return jdk.is_tree() || setup.pid_namespace || !setup.tmp.empty() || !setup.mounts.empty() || !setup.user.empty();
}

/// Run by sh with the JDK's directory, the work directory, the one for /tmp or "", and what to become. The work
/// directory becomes /mnt, with the JDK in /mnt/jdk: a user's own home may be closed to other users.
std::string mount_script(const Jdk& jdk, const JvmSetup& setup) {
  std::string script = R"(
jdk=$1 work=$2 tmp=$3
shift 3
mount_tmp() { if [ "$tmp" ]; then mount --bind "$tmp" "$1"; else mount -t tmpfs -o mode=1777 tmpfs "$1"; fi; }
mount --bind "$jdk" "$work/jdk"
)";
  if (jdk.is_tree()) {
    script += R"(
mount --bind "$work" "$work/jdk/mnt"
mount -t proc proc "$work/jdk/proc"
mount_tmp "$work/jdk/tmp"
)";
  }
  return script + "mount --rbind \"$work\" /mnt\nmount_tmp /tmp\n" + setup.mounts + "\nexec \"$@\"";
}

void append(std::vector<std::string>& command, const std::vector<std::string>& more) {
  command.insert(command.end(), more.begin(), more.end());
}

void append_sandbox(std::vector<std::string>& command, const Jdk& jdk, const JvmSetup& setup, const std::string& work) {
  append(command, {"unshare", "--mount"});
  if (setup.pid_namespace) append(command, {"--pid", "--fork", "--mount-proc", "--kill-child"});
  append(command, {"sh", "-ec", mount_script(jdk, setup), "sh", jdk.directory, work, setup.tmp});
  if (jdk.is_tree()) append(command, {"chroot", "/mnt/jdk"});
  if (!setup.user.empty()) {
    append(command, {"setpriv", "--reuid=" + setup.user, "--regid=" + setup.user, "--clear-groups"});
  }
}

std::vector<std::string> log_options(const Jdk& jdk, const std::string& log) {
  // What Shenandoah says right after it has woken those who wait for memory.
  const std::string free = jdk.version < 25 ? "gc+ergo" : "gc+free";
  if (jdk.version > 8) return {"-Xlog:gc,safepoint," + free + ":file=" + log + ":uptimenanos,tags:filecount=0"};
  return {"-XX:+PrintGC", "-XX:+PrintGCApplicationStoppedTime", "-Xloggc:" + log};
}

std::vector<std::string> make_command(const Jdk& jdk, const JvmSetup& setup, const std::string& work) {
  const bool sandboxed = is_sandboxed(jdk, setup);
  const std::string seen_work = sandboxed ? "/mnt" : work;
  std::vector<std::string> command = setup.launcher;
  if (!setup.cgroup.empty())
    append(command, {"sh", "-c", "echo $$ > \"$0\" && exec \"$@\"", setup.cgroup + "/cgroup.procs"});
  if (sandboxed) append_sandbox(command, jdk, setup, work);
  command.push_back(jdk.java(sandboxed ? "/mnt/jdk" : jdk.directory));
  append(command, setup.options);
  if (setup.gc_log) append(command, log_options(jdk, seen_work + "/gc.log"));
  append(command, {"-cp", seen_work, "Workload"});
  return command;
}

/// The directory ready for the JVM, whoever it runs as.
std::string prepare(const TempDir& work) {
  const auto classes = workload_classes();
  if (!classes) throw std::runtime_error(classes.error().message());
  fs::copy(*classes, work.path());
  fs::create_directory(work.path() / "jdk");
  fs::permissions(work.path(), fs::perms::all);
  return work.path();
}

}  // namespace

pid_t last_descendant(pid_t pid) {
  for (pid_t child = pid;; pid = child) {
    std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", pid));
    if (!(children >> child)) return pid;
  }
}

Jvm::Jvm(const Jdk& jdk, const JvmSetup& setup) : setup_(setup), child_(make_command(jdk, setup, prepare(work_))) {}

Jvm::~Jvm() {
  // At the end of its input a JVM ends and removes its file, which SIGKILL would leave.
  child_.signal(SIGCONT);
  child_.close_stdin();
  child_.wait(kEndsWithin);
}

std::string Jvm::command(const std::string& line) {
  child_.write_line(line);
  std::string answer;
  while (const auto next = child_.read_line()) {
    if (*next == "ok") return answer;
    answer += *next + '\n';
  }
  child_.signal(SIGKILL);
  throw std::runtime_error("JVM: no answer to '" + line + "':\n" + answer + child_.read_all_errors());
}

pid_t Jvm::pid() const {
  return last_descendant(child_.pid());
}

void Jvm::signal(int number) const {
  ::kill(pid(), number);
}

LabelMap Jvm::labels() const {
  const auto status = node::read_file("/proc/" + std::to_string(pid()) + "/status");
  if (!status || !*status) throw std::runtime_error("the JVM is gone");
  LabelMap labels{{"pid", std::to_string(*node::parse_namespace_pid(**status))}};
  if (!setup_.cgroup.empty()) labels["container"] = fs::path(setup_.cgroup).filename();
  return labels;
}

int Jvm::end() {
  child_.close_stdin();
  const auto code = child_.wait();
  if (!code) throw std::runtime_error("the JVM does not end");
  return *code;
}

std::vector<Safepoint> Jvm::safepoints() const {
  return parse_safepoints(gc_log());
}

std::vector<Stall> Jvm::stalls() const {
  return parse_stalls(gc_log());
}

std::string Jvm::gc_log() const {
  std::ifstream in(work_.path() / "gc.log");
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace manometer::test
