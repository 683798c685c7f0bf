#include "tests/bpf/java_server.h"

#include <csignal>
#include <filesystem>
#include <stdexcept>

#include "tests/java/jvm.h"

namespace manometer::test {
namespace {

constexpr std::chrono::seconds kEndsWithin{10};
constexpr int kFirstWithTomcat = 11;
constexpr int kFirstWithVirtualThreads = 21;
const std::string kClasses = MANOMETER_SERVER_CLASSES;
const std::string kTomcatClassPath = MANOMETER_TOMCAT_CLASS_PATH;

/// Run by sh with the JDK's tree, the classes and java's arguments, in a mount namespace of its own.
const char* const kInTree = R"(
tree=$1
mount --bind "$2" "$tree/mnt"
mount -t proc proc "$tree/proc"
mount -t tmpfs -o mode=1777 tmpfs "$tree/tmp"
shift 2
exec chroot "$tree" "$@"
)";

void append(std::vector<std::string>& command, const std::vector<std::string>& more) {
  command.insert(command.end(), more.begin(), more.end());
}

std::vector<std::string> make_command(const Jdk& jdk, const JavaServerSetup& setup, const std::string& work) {
  const bool tomcat = setup.kind == "tomcat";
  std::vector<std::string> command = setup.launcher;
  if (jdk.is_tree()) append(command, {"unshare", "--mount", "sh", "-ec", kInTree, "sh", jdk.directory, kClasses});
  command.push_back(jdk.java(jdk.directory));
  append(command, setup.options);
  append(command, {"-Djava.io.tmpdir=" + (jdk.is_tree() ? "/tmp" : work)});
  append(command, {"-cp", (jdk.is_tree() ? "/mnt" : kClasses) + (tomcat ? ":" + kTomcatClassPath : "")});
  append(command, tomcat ? std::vector<std::string>{"Tomcat"} : std::vector<std::string>{"Servers", setup.kind});
  append(command, {std::to_string(setup.threads), std::to_string(setup.service.count())});
  return command;
}

uint16_t read_port(Child& child) {
  const auto line = child.read_line();
  if (line) return static_cast<uint16_t>(std::stoi(*line));
  child.signal(SIGKILL);
  throw std::runtime_error("the server does not come up:\n" + child.read_all_errors());
}

}  // namespace

std::optional<std::string> why_no_server(const Jdk& jdk, const std::string& kind) {
  if (!std::filesystem::exists(kClasses + "/Servers.class"))
    return "there was no javac to compile tests/bpf/Servers.java: install openjdk-17-jdk-headless, run cmake";
  if (kind == "jdk" && jdk.version == 11) return "the runtime of JDK 11 in the cache has no com.sun.net.httpserver";
  if (kind == "virtual" && jdk.version < kFirstWithVirtualThreads) return "virtual threads need JDK 21";
  if (kind != "tomcat") return std::nullopt;
  if (jdk.version < kFirstWithTomcat) return "Tomcat 10.1 needs JDK 11";
  if (!std::filesystem::exists(kClasses + "/Tomcat.class"))
    return "there was no Tomcat to compile tests/bpf/Tomcat.java against: install libtomcat10-java, run cmake";
  return std::nullopt;
}

JavaServer::JavaServer(const Jdk& jdk, const JavaServerSetup& setup)
    : child_(make_command(jdk, setup, work_.path())), port_(read_port(child_)) {}

JavaServer::~JavaServer() {
  // At the end of its input a JVM ends and removes its hsperfdata file, which SIGKILL would leave.
  child_.signal(SIGCONT);
  child_.close_stdin();
  child_.wait(kEndsWithin);
}

pid_t JavaServer::pid() const {
  return last_descendant(child_.pid());
}

}  // namespace manometer::test
