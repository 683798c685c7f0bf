#include "tests/bench/servers.h"

#include <atomic>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

#include "agent/node/cgroup2.h"
#include "agent/node/cgroup_mount.h"

namespace manometer::bench {
namespace {

namespace fs = std::filesystem;

constexpr int kTomcatThreads = 16;
const char* const kDebianJvms = "/usr/lib/jvm";

class EchoServer : public Server {
 public:
  explicit EchoServer(const std::vector<std::string>& command) : child_(command) {
    const auto line = child_.read_line();
    if (!line) throw std::runtime_error("fast_http_server does not come up");
    port_ = static_cast<uint16_t>(std::stoi(*line));
  }

  pid_t pid() const override { return child_.pid(); }
  uint16_t port() const override { return port_; }

 private:
  test::Child child_;
  uint16_t port_ = 0;
};

class Tomcat : public Server {
 public:
  Tomcat(const test::Jdk& jdk, const test::JavaServerSetup& setup) : server_(jdk, setup), pid_(server_.pid()) {}

  pid_t pid() const override { return pid_; }
  uint16_t port() const override { return server_.port(); }

 private:
  test::JavaServer server_;
  pid_t pid_;
};

std::string debian_jdk() {
  if (!fs::exists(kDebianJvms)) return "";
  for (const auto& entry : fs::directory_iterator(kDebianJvms)) {
    if (entry.path().filename().string().starts_with("java-17-openjdk-") && fs::exists(entry.path() / "bin/java"))
      return entry.path();
  }
  return "";
}

}  // namespace

UniqueFd cgroup2_root() {
  const auto mount = node::find_cgroup_mount();
  auto root = node::open_cgroup2_root(mount ? *mount : std::nullopt, "/proc");
  if (!root) throw std::runtime_error(root.error().message());
  return *std::move(root);
}

ServerCgroup::ServerCgroup() {
  static std::atomic<int> made{0};
  const UniqueFd root = cgroup2_root();
  const std::string name = fmt::format("manometer-bench-{}-{}", ::getpid(), ++made);
  if (::mkdirat(root.get(), name.c_str(), 0755) != 0)
    throw std::system_error(errno, std::generic_category(), "make cgroup " + name);
  fd_ = UniqueFd(::openat(root.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  path_ = fs::read_symlink(fmt::format("/proc/self/fd/{}", fd_.get()));
}

ServerCgroup::~ServerCgroup() {
  test::eventually([&] { return ::rmdir(path_.c_str()) == 0 || errno != EBUSY; });
}

std::vector<std::string> ServerCgroup::launcher() const {
  return {"sh", "-ec", "echo $$ > \"$0\"; exec \"$@\"", path_ + "/cgroup.procs"};
}

std::unique_ptr<Server> make_echo_server(const ServerCgroup& cgroup) {
  std::vector<std::string> command = cgroup.launcher();
  command.emplace_back(MANOMETER_FAST_HTTP_SERVER);
  return std::make_unique<EchoServer>(std::move(command));
}

std::unique_ptr<Server> make_tomcat(const ServerCgroup& cgroup) {
  const test::Jdk jdk{17, debian_jdk()};
  if (jdk.directory.empty() || test::why_no_server(jdk, "tomcat")) return nullptr;
  test::JavaServerSetup setup{"tomcat", kTomcatThreads};
  setup.options = {"-Xmx256m", "-XX:+UseParallelGC"};
  setup.launcher = cgroup.launcher();
  return std::make_unique<Tomcat>(jdk, setup);
}

uint64_t cpu_ns(pid_t pid) {
  uint64_t sum = 0;
  for (const auto& task : fs::directory_iterator(fmt::format("/proc/{}/task", pid))) {
    uint64_t ns = 0;
    if (std::ifstream(task.path() / "schedstat") >> ns) sum += ns;  // a thread may just have ended
  }
  return sum;
}

}  // namespace manometer::bench
