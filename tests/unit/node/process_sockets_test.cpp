// Real sockets of real processes.

#include "agent/node/process_sockets.h"

#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <iterator>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/child.h"
#include "tests/support/forked.h"
#include "tests/support/temp_dir.h"
#include "tests/support/without_root.h"

namespace manometer::node {
namespace {

using test::Forked;

int check(int fd, const char* what) {
  if (fd < 0) throw std::runtime_error(Error::from_errno(what).message());
  return fd;
}

/// An address for bind() and connect(): of an IPv6 family with IPv4 text it is v4-mapped.
sockaddr_in6 address_of(const std::string& host, uint16_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  if (::inet_pton(AF_INET6, host.c_str(), &address.sin6_addr) == 1) return address;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  ::inet_pton(AF_INET, host.c_str(), &v4.sin_addr);
  std::memcpy(&address, &v4, sizeof(v4));
  return address;
}

uint16_t port_of(int fd) {
  sockaddr_in6 address{};
  socklen_t length = sizeof(address);
  check(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
  return ntohs(address.sin6_port);
}

int listen_at(const std::string& host) {
  const sockaddr_in6 address = address_of(host, 0);
  const int fd = check(::socket(address.sin6_family, SOCK_STREAM, 0), "socket");
  check(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), "bind");
  check(::listen(fd, 8), "listen");
  return fd;
}

int connect_to(const std::string& host, uint16_t port) {
  const sockaddr_in6 address = address_of(host, port);
  const int fd = check(::socket(address.sin6_family, SOCK_STREAM, 0), "socket");
  check(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), "connect");
  return fd;
}

/// The same file under a higher number only.
void move_up(int fd) {
  check(::fcntl(fd, F_DUPFD, 100), "dup");
  ::close(fd);
}

/// A process that listens and has a connection to itself; says its port.
std::string serve(const std::string& listen_host, const std::string& connect_host) {
  const int listener = listen_at(listen_host);
  connect_to(connect_host, port_of(listener));
  check(::accept(listener, nullptr, nullptr), "accept");
  return std::to_string(port_of(listener));
}

Process process_of(pid_t pid) {
  auto process = ProcFs::open("/proc")->process(pid);
  if (!process || !*process) throw std::runtime_error("no process");
  return **std::move(process);
}

struct Visited {
  std::vector<ServerSocket> sockets;
  SocketCounts counts;
};

Visited visit(pid_t pid, size_t max_descriptors = kMaxDescriptors) {
  Visited visited;
  const auto counts = visit_server_sockets(
      process_of(pid), [&](const ServerSocket& socket) { visited.sockets.push_back(socket); }, max_descriptors);
  if (!counts) throw std::runtime_error(counts.error().message());
  visited.counts = counts->value();
  return visited;
}

/// A letter for each visit, in their order.
std::string order(const Visited& visited) {
  std::string out;
  for (const ServerSocket& socket : visited.sockets) out += socket.is_listener ? "L" : "c";
  return out;
}

size_t open_descriptors() {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

struct Hosts {
  const char* name;
  const char* listen;
  const char* connect;
};

class FamilyTest : public testing::TestWithParam<Hosts> {};

TEST_P(FamilyTest, VisitsTheListenerAndItsConnection) {
  const Forked server([] { return serve(GetParam().listen, GetParam().connect); });
  const Visited visited = visit(server.pid());
  ASSERT_EQ(order(visited), "Lc") << "and not the client's socket";
  for (const ServerSocket& socket : visited.sockets) EXPECT_EQ(std::to_string(socket.port), server.said());
  EXPECT_EQ(visited.sockets[0].state, TCP_LISTEN);
  EXPECT_EQ(visited.sockets[1].state, TCP_ESTABLISHED);
  EXPECT_EQ(visited.counts.listeners, 1U);
  EXPECT_EQ(visited.counts.connections, 1U);
  EXPECT_GE(visited.counts.descriptors, 3U);
  EXPECT_TRUE(visited.counts.all);
}

INSTANTIATE_TEST_SUITE_P(Families, FamilyTest,
                         testing::Values(Hosts{"V4", "127.0.0.1", "127.0.0.1"}, Hosts{"V6", "::1", "::1"},
                                         Hosts{"V4AtAV6Listener", "::", "127.0.0.1"},
                                         Hosts{"V4Mapped", "::ffff:127.0.0.1", "127.0.0.1"}),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(ProcessSockets, VisitsListenersBeforeTheirConnections) {
  const Forked server([] {
    const int first = listen_at("127.0.0.1");
    const int second = listen_at("127.0.0.1");
    connect_to("127.0.0.1", port_of(first));
    connect_to("127.0.0.1", port_of(second));
    check(::accept(first, nullptr, nullptr), "accept");
    check(::accept(second, nullptr, nullptr), "accept");
    move_up(first);
    return std::to_string(port_of(second));
  });
  const Visited visited = visit(server.pid());
  ASSERT_EQ(order(visited), "LcLc");
  EXPECT_EQ(std::to_string(visited.sockets[0].port), server.said());
  EXPECT_EQ(visited.sockets[1].port, visited.sockets[0].port);
  EXPECT_EQ(visited.sockets[3].port, visited.sockets[2].port);
}

TEST(ProcessSockets, VisitsASocketWithTwoDescriptorsOnce) {
  const Forked server([] {
    const int listener = listen_at("127.0.0.1");
    const int client = connect_to("127.0.0.1", port_of(listener));
    const int connection = check(::accept(listener, nullptr, nullptr), "accept");
    for (const int fd : {listener, client, connection}) check(::dup(fd), "dup");
    move_up(listener);
    return "";
  });
  EXPECT_EQ(order(visit(server.pid())), "Lc");
}

TEST(ProcessSockets, IgnoresAllOtherSocketsAndFiles) {
  const Forked process([] {
    for (const int domain : {AF_INET, AF_INET6}) check(::socket(domain, SOCK_DGRAM, 0), "UDP socket");
    const int udp = check(::socket(AF_INET, SOCK_DGRAM, 0), "socket");
    const sockaddr_in6 address = address_of("127.0.0.1", 0);
    check(::bind(udp, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), "bind");
    sockaddr_un path{};
    path.sun_family = AF_UNIX;  // an empty name: the kernel gives one
    const int local = check(::socket(AF_UNIX, SOCK_STREAM, 0), "Unix socket");
    check(::bind(local, reinterpret_cast<const sockaddr*>(&path), sizeof(path.sun_family)), "bind");
    check(::listen(local, 1), "listen");
    int ends[2];
    check(::pipe(ends), "pipe");
    check(::epoll_create1(0), "epoll");
    check(::socket(AF_INET, SOCK_STREAM, 0), "unused TCP socket");
    return "";
  });
  const Visited visited = visit(process.pid());
  EXPECT_EQ(order(visited), "");
  EXPECT_GE(visited.counts.descriptors, 8U);
}

/// To close any descriptor of a file takes away the locks we have on it: so its lock tells whether we had one.
TEST(ProcessSockets, TouchesNoFile) {
  const test::TempDir dir;
  dir.write("file", "");
  const std::string path = dir.path() / "file";
  const UniqueFd fd(check(::open(path.c_str(), O_RDWR | O_CLOEXEC), "open"));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  check(::fcntl(fd.get(), F_SETLK, &lock), "lock");
  const auto is_locked = [&path]() -> std::string {
    struct flock other {};
    other.l_type = F_WRLCK;
    check(::fcntl(check(::open(path.c_str(), O_RDWR), "open"), F_GETLK, &other), "look for locks");
    return other.l_type == F_UNLCK ? "free" : "locked";
  };
  const Forked process(is_locked);
  ASSERT_EQ(process.said(), "locked");
  visit(process.pid());
  EXPECT_EQ(Forked(is_locked).said(), "locked");
}

TEST(ProcessSockets, LendsTheSocketForTheVisitOnly) {
  const Forked server([] { return serve("127.0.0.1", "127.0.0.1"); });
  const size_t before = open_descriptors();
  std::vector<uint16_t> ports;
  const auto counts = visit_server_sockets(process_of(server.pid()),
                                           [&](const ServerSocket& socket) { ports.push_back(port_of(socket.fd)); });
  ASSERT_TRUE(counts.ok()) << counts.error().message();
  const auto port = static_cast<uint16_t>(std::stoi(server.said()));
  EXPECT_THAT(ports, testing::ElementsAre(port, port));
  EXPECT_EQ(open_descriptors(), before);
}

TEST(ProcessSockets, TellsWhatAConnectionCarried) {
  const auto start = std::chrono::steady_clock::now();
  const Forked server([] {
    const int listener = listen_at("127.0.0.1");
    const int client = connect_to("127.0.0.1", port_of(listener));
    const int connection = check(::accept(listener, nullptr, nullptr), "accept");
    std::array<char, 100> bytes{};
    check(static_cast<int>(::send(client, bytes.data(), 70, 0)), "send");
    check(static_cast<int>(::recv(connection, bytes.data(), 70, MSG_WAITALL)), "recv");
    check(static_cast<int>(::send(connection, bytes.data(), 30, 0)), "send");
    check(static_cast<int>(::recv(client, bytes.data(), 30, MSG_WAITALL)), "recv");
    return "";
  });
  // The client's kernel may acknowledge somewhat later.
  Visited visited;
  EXPECT_TRUE(test::eventually([&] {
    visited = visit(server.pid());
    return order(visited) == "Lc" && visited.sockets[1].bytes_acked == 30;
  }));
  EXPECT_EQ(visited.sockets[1].bytes_received, 70U);
  constexpr std::chrono::milliseconds kTick{10};  // of the kernel's clock, at most
  const auto most = std::chrono::steady_clock::now() - start + kTick;
  EXPECT_LE(visited.sockets[1].since_received, most);
  EXPECT_LE(visited.sockets[1].since_sent, most);
}

TEST(ProcessSockets, LooksAtSoManyDescriptorsOnly) {
  const Forked process([] {
    for (int i = 0; i < 20; ++i) check(::epoll_create1(0), "epoll");
    move_up(listen_at("127.0.0.1"));
    return "";
  });
  const Visited some = visit(process.pid(), 10);
  EXPECT_EQ(some.counts.descriptors, 10U);
  EXPECT_FALSE(some.counts.all);
  EXPECT_EQ(order(some), "");
  const Visited all = visit(process.pid(), visit(process.pid()).counts.descriptors);
  EXPECT_TRUE(all.counts.all);
  EXPECT_EQ(order(all), "L");
}

TEST(ProcessSockets, AProcessThatEndedIsGone) {
  std::optional<Process> process;
  {
    const Forked server([] { return serve("127.0.0.1", "127.0.0.1"); });
    process = process_of(server.pid());
    server.end();
    const auto zombie = visit_server_sockets(*process, [](const ServerSocket&) { FAIL(); });
    ASSERT_TRUE(zombie.ok()) << zombie.error().message();
    EXPECT_FALSE(zombie->has_value());
  }
  const auto gone = visit_server_sockets(*process, [](const ServerSocket&) { FAIL(); });
  ASSERT_TRUE(gone.ok()) << gone.error().message();
  EXPECT_FALSE(gone->has_value());
}

/// Why the sockets of a process cannot be seen.
std::string refusal(pid_t pid) {
  const auto counts = visit_server_sockets(process_of(pid), [](const ServerSocket&) {});
  return counts ? "" : counts.error().message();
}

TEST(ProcessSockets, AProcessThatWeMayNotLookIntoIsAnError) {
  const Forked server([] {
    check(::prctl(PR_SET_DUMPABLE, 0), "prctl");  // for root only
    return serve("127.0.0.1", "127.0.0.1");
  });
  EXPECT_TRUE(test::without_root([&] {
    const std::string why = refusal(server.pid());
    return why.find(std::to_string(server.pid())) != std::string::npos &&
           why.find("Permission denied") != std::string::npos;
  }));
}

/// Has the kernel answer a system call with an error, as a seccomp profile or an old kernel does.
void forbid(unsigned number, unsigned error) {
  std::array<sock_filter, 4> filter{{
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | error},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  }};
  const sock_fprog program{filter.size(), filter.data()};
  check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl");
  check(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp");
}

struct Forbidden {
  const char* name;
  unsigned number;
  unsigned error;
};

class ForbiddenTest : public testing::TestWithParam<Forbidden> {};

TEST_P(ForbiddenTest, IsAnErrorThatNamesTheSystemCall) {
  const Forked server([] { return serve("127.0.0.1", "127.0.0.1"); });
  const Forked looker([&] {
    forbid(GetParam().number, GetParam().error);
    return refusal(server.pid());
  });
  EXPECT_EQ(looker.said(), "sockets of process " + std::to_string(server.pid()) + ": " +
                               Error::from_errno(GetParam().name, static_cast<int>(GetParam().error)).message());
}

INSTANTIATE_TEST_SUITE_P(SystemCalls, ForbiddenTest,
                         testing::Values(Forbidden{"pidfd_open", SYS_pidfd_open, ENOSYS},
                                         Forbidden{"pidfd_open", SYS_pidfd_open, EPERM},
                                         Forbidden{"pidfd_getfd", SYS_pidfd_getfd, ENOSYS},
                                         Forbidden{"pidfd_getfd", SYS_pidfd_getfd, EPERM}));

}  // namespace
}  // namespace manometer::node
