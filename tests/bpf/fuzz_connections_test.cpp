// Real connections on which both ends say anything at all: each request that the programs saw is counted once, and they
// measure the next one right.

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <system_error>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include "agent/metrics/buckets.h"
#include "agent/node/cgroup2.h"
#include "tests/bpf/clock.h"
#include "tests/bpf/effort.h"
#include "tests/bpf/random_http.h"
#include "tests/bpf/socket_address.h"
#include "tests/bpf/totals.h"
#include "tests/bpf/unified_cgroup.h"

namespace manometer::test {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

/// One end of a connection.
class End {
 public:
  explicit End(UniqueFd fd) : fd_(std::move(fd)) {
    const int on = 1;
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }

  int fd() const { return fd_.get(); }
  /// One segment, unless the other end has closed or does not read.
  void send(const std::string& bytes) const { ::send(fd(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL); }
  /// What there is.
  size_t receive(size_t most) const {
    std::string bytes(most, '\0');
    const ssize_t size = ::recv(fd(), bytes.data(), most, MSG_DONTWAIT);
    return size > 0 ? static_cast<size_t>(size) : 0;
  }
  /// All, until the other end has closed.
  void drain() const {
    std::string bytes(1 << 16, '\0');
    while (::recv(fd(), bytes.data(), bytes.size(), 0) > 0) {
    }
  }
  void wait() const {
    char byte = 0;
    if (::recv(fd(), &byte, 1, MSG_PEEK) < 0) fail("wait");
  }
  /// Until all that the other end has sent is here.
  void receive_all_of(const End& other) const {
    if (!eventually([&] { return receive(4000), other.unacknowledged() == 0; }, std::chrono::seconds(5)))
      throw std::runtime_error("what was sent does not arrive");
  }
  int unacknowledged() const {
    int bytes = 0;
    if (::ioctl(fd(), SIOCOUTQ, &bytes) != 0) fail("SIOCOUTQ");
    return bytes;
  }
  void shutdown() const { ::shutdown(fd(), SHUT_WR); }
  void close() { fd_ = UniqueFd(); }
  void reset() {
    const linger now{1, 0};
    ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close();
  }

 private:
  UniqueFd fd_;
};

/// This process as a watched server.
class FuzzedServer {
 public:
  FuzzedServer() {
    const SocketAddress any("127.0.0.1", 0);
    if (::bind(listener_.get(), any.get(), any.size()) != 0 || ::listen(listener_.get(), 16) != 0) fail("listen");
    request_socket mark{};
    mark.target_id = target_.id;
    mark.target = target_.index;
    const int fd = listener_.get();
    if (::bpf_map_update_elem(probe_->sockets_map(), &fd, &mark, BPF_ANY) != 0) fail("mark the listener");
  }

  End connect() const {
    const SocketAddress address("127.0.0.1", SocketAddress::port_of(listener_.get()));
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(fd.get(), address.get(), address.size()) != 0) fail("connect");
    return End(std::move(fd));
  }
  End accept() const {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) fail("accept");
    return End(std::move(fd));
  }

  /// Before 5.11: what is known of a connection goes as soon as it ends.
  bool forgets() const { return probe_->by_cookie(); }

  /// How many requests of a connection the programs saw.
  uint32_t arrived(const End& server) const {
    request_socket state{};
    const int fd = server.fd();
    if (!probe_->by_cookie()) {
      if (::bpf_map_lookup_elem(probe_->sockets_map(), &fd, &state) != 0) fail("look up a socket");
      return state.arrived;
    }
    uint64_t cookie = 0;
    socklen_t size = sizeof(cookie);
    if (::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) fail("SO_COOKIE");
    const int map = ::bpf_object__find_map_fd_by_name(probe_->object(), "request_sockets_by_cookie");
    if (::bpf_map_lookup_elem(map, &cookie, &state) == 0) return state.arrived;
    if (errno != ENOENT) fail("look up a cookie");
    return 0;  // none of its packets came yet, or it is forgotten
  }

  probes::RequestProbe::Counts counts() const {
    auto counts = probe_->read(target_);
    if (!counts) throw std::runtime_error(counts.error().message());
    return *std::move(counts);
  }
  Totals totals() const { return totals_of(counts()); }

 private:
  static std::unique_ptr<probes::RequestProbe> open() {
    const auto buckets =
        metrics::Buckets::make({metrics::kDefaultClassicSeconds.begin(), metrics::kDefaultClassicSeconds.end()});
    auto probe = probes::RequestProbe::open({.bounds_ns = buckets->bounds_ns(), .routes = {"/p"}});
    if (!probe) throw std::runtime_error(probe.error().message());
    return *std::move(probe);
  }
  static probes::RequestProbe::Target add(probes::RequestProbe& probe) {
    auto target = probe.add(::getpid());
    if (!target) throw std::runtime_error(target.error().message());
    return *std::move(target);
  }
  static probes::RequestProbe::Attachment attach(const probes::RequestProbe& probe, const UnifiedCgroup& cgroup) {
    auto attachment = probe.attach(cgroup.fd());
    if (!attachment) throw std::runtime_error(attachment.error().message());
    return *std::move(attachment);
  }

  /// Where its listener is made, and so all that connect to it.
  UnifiedCgroup cgroup_{"fuzz"};
  UnifiedCgroup::Stay stay_{cgroup_};
  std::unique_ptr<probes::RequestProbe> probe_ = open();
  probes::RequestProbe::Target target_ = add(*probe_);
  probes::RequestProbe::Attachment attachment_ = attach(*probe_, cgroup_);
  UniqueFd listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

/// Mostly what the end should say, whole or in pieces, or nearly so.
void say(const End& end, bool is_server, Random& random) {
  const HttpMessage message = is_server ? random_response(random) : random_request(random);
  std::string bytes = random.one_in(6) ? random_payload(random, 2000) : message.bytes;
  if (random.one_in(6)) bytes = mutated(random, bytes);
  for (const std::string& segment : random_cuts(random, bytes, random.one_in(4) ? 30 : 4000)) end.send(segment);
}

/// A conversation without sense. How many requests the programs saw in it.
uint64_t talk(const FuzzedServer& fuzzed, Random& random) {
  End client = fuzzed.connect();
  End server = fuzzed.accept();
  uint32_t arrived = 0;
  const auto see = [&] { arrived = std::max(arrived, fuzzed.arrived(server)); };
  const auto before_an_end = [&] {
    if (!fuzzed.forgets()) return;
    server.receive_all_of(client);
    see();
  };
  for (uint64_t step = random.number(60); step > 0; --step) {
    const bool servers = random.one_in(2);
    const End& one = servers ? server : client;
    if (random.one_in(2)) {
      one.receive(1 + random.number(4000));
    } else {
      say(one, servers, random);
    }
    if (random.one_in(200)) {
      before_an_end();
      one.shutdown();
    }
  }
  before_an_end();
  if (random.one_in(3)) {
    client.reset();
  } else {
    client.close();
  }
  server.drain();  // so that all has arrived
  see();
  if (random.one_in(3)) server.reset();
  return arrived;
}

/// A request and its answer.
void exchange(const FuzzedServer& fuzzed) {
  const End client = fuzzed.connect();
  const End server = fuzzed.accept();
  client.send("GET /path HTTP/1.1\r\nHost: a\r\n\r\n");
  server.wait();
  server.receive(1000);
  server.send("HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n");
  client.wait();
}

latency_histogram exchanged(const FuzzedServer& fuzzed) {
  const auto counts = fuzzed.counts();
  const auto found = std::ranges::find_if(counts.durations, [](const auto& series) {
    return series.method == REQUEST_GET && series.code == 418 && series.route == 1;
  });
  return found == counts.durations.end() ? latency_histogram{} : found->histogram;
}

TEST(FuzzedConnections, EveryArrivalIsCountedOnceAndTheNextRequestIsMeasured) {
  Random random;
  const FuzzedServer fuzzed;
  exchange(fuzzed);  // while there are series left
  EXPECT_EQ(count_of(exchanged(fuzzed)), 1U);
  const size_t conversations = effort(6'000, 100);
  uint64_t arrived = 1;
  for (size_t i = 0; i < conversations; ++i) arrived += talk(fuzzed, random);
  EXPECT_TRUE(eventually([&] { return fuzzed.totals().ended() == arrived; }, std::chrono::seconds(5)));
  const Totals fuzz = fuzzed.totals();
  EXPECT_EQ(arrived, fuzz.ended()) << "nothing is in flight any more";
  EXPECT_LE(fuzz.stages[REQUEST_QUEUE], arrived);
  EXPECT_LE(fuzz.stages[REQUEST_PROCESSING], arrived);
  EXPECT_EQ(fuzz.stages[REQUEST_TRANSFER], fuzz.durations);
  for (const auto reason : {REQUEST_NOT_HTTP, REQUEST_SERVER_CLOSED, REQUEST_CLIENT_RESET, REQUEST_BAD_RESPONSE})
    EXPECT_GT(fuzz.unmatched(reason), 0U) << reason;
  EXPECT_GT(fuzz.durations, conversations / 4);

  const latency_histogram before = exchanged(fuzzed);
  const uint64_t begin = now_ns();
  exchange(fuzzed);
  const uint64_t longest = now_ns() - begin;
  const latency_histogram after = exchanged(fuzzed);
  EXPECT_EQ(count_of(after), count_of(before) + 1);
  EXPECT_GT(after.sum_ns, before.sum_ns);
  EXPECT_LE(after.sum_ns, before.sum_ns + longest);
}

}  // namespace
}  // namespace manometer::test
