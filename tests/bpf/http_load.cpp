#include "tests/bpf/http_load.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <span>
#include <stdexcept>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <system_error>

#include "agent/base/unique_fd.h"
#include "tests/bpf/clock.h"
#include "tests/bpf/response_parser.h"
#include "tests/bpf/socket_address.h"
#include "tests/support/child.h"

namespace manometer::test {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr uint64_t kPatienceNs = std::chrono::nanoseconds(kPatience).count();

struct Connection {
  enum class State { kClosed, kConnecting, kIdle, kBusy };

  UniqueFd fd;
  State state = State::kClosed;
  bool peer_closed = false;
  ResponseParser parser;
  std::string_view request;
  uint64_t due_ns = 0;
  uint64_t sent_ns = 0;
};

/// On CLOCK_MONOTONIC, what was a moment ago on CLOCK_REALTIME.
uint64_t monotonic_ns(const timespec& moment) {
  constexpr int kTries = 5;  // the thread may lose the processor between two clocks
  uint64_t best = UINT64_MAX;
  uint64_t out = 0;
  for (int i = 0; i < kTries; i++) {
    const uint64_t before = now_ns();
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const uint64_t took = now_ns() - before;
    if (took >= best) continue;
    best = took;
    out = before - (to_ns(now) - to_ns(moment));
  }
  return out;
}

void set_option(const UniqueFd& socket, int level, int name) {
  const int on = 1;
  if (::setsockopt(socket.get(), level, name, &on, sizeof(on)) != 0)
    throw std::system_error(errno, std::generic_category(), "setsockopt");
}

/// recv(); at: when the last byte of it came, by the kernel's clock if the socket has one.
ssize_t receive_at(int fd, std::span<char> bytes, uint64_t& at) {
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(timespec))> control;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(fd, &message, 0);
  at = now_ns();
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (size <= 0 || header == nullptr || header->cmsg_type != SCM_TIMESTAMPNS) return size;
  timespec moment{};
  std::memcpy(&moment, CMSG_DATA(header), sizeof(moment));
  at = monotonic_ns(moment);
  return size;
}

class Runner {
 public:
  explicit Runner(const Load& load);
  LoadResult run();

 private:
  bool may_send() const { return !stopped_ && result_.sent + connecting_ < load_.count; }
  bool is_due(uint64_t now) const { return load_.rate == 0 || next_due_ns() <= now; }
  uint64_t next_due_ns() const;
  void start_what_is_due();
  void start(Connection& connection);
  void connect(Connection& connection);
  void send(Connection& connection);
  void wait();
  int wait_ms() const;
  void handle(Connection& connection, uint32_t events);
  void connected(Connection& connection);
  void receive(Connection& connection);
  void answered(Connection& connection, uint64_t now);
  void lost(Connection& connection);
  void rest(Connection& connection);
  void give_up_the_late();

  const Load& load_;
  SocketAddress address_;
  // While it is there, packets have a time. The kernel begins and ends that late, and would between two connections.
  UniqueFd keeps_stamps_;
  UniqueFd epoll_{::epoll_create1(EPOLL_CLOEXEC)};
  UniqueFd timer_{::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};  // epoll's own is not exact
  std::vector<std::unique_ptr<Connection>> connections_;
  std::deque<Connection*> free_;
  uint64_t connecting_ = 0;
  uint64_t busy_ = 0;
  uint64_t started_ = 0;
  uint64_t started_at_ns_ = 0;
  uint64_t last_progress_ns_ = 0;
  bool stopped_ = false;
  LoadResult result_;
};

Runner::Runner(const Load& load) : load_(load), address_(load.host, load.port) {
  for (size_t i = 0; i < load.connections; i++) {
    connections_.push_back(std::make_unique<Connection>());
    free_.push_back(connections_.back().get());
  }
  if (load.clock == Load::Clock::kPacket) {
    keeps_stamps_ = UniqueFd(::socket(address_.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    set_option(keeps_stamps_, SOL_SOCKET, SO_TIMESTAMPNS);
  }
  // An edge each time it ends: it is never read.
  epoll_event event{EPOLLIN | EPOLLET, {.ptr = nullptr}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &event);
}

LoadResult Runner::run() {
  started_at_ns_ = last_progress_ns_ = now_ns();
  while (true) {
    stopped_ = stopped_ || load_.until(result_);
    start_what_is_due();
    if (!may_send() && busy_ + connecting_ == 0) return std::move(result_);
    wait();
    give_up_the_late();
  }
}

uint64_t Runner::next_due_ns() const {
  return started_at_ns_ + static_cast<uint64_t>(static_cast<double>(started_) / load_.rate * kNsPerSecond);
}

void Runner::start_what_is_due() {
  while (!free_.empty() && may_send() && is_due(now_ns())) {
    Connection& connection = *free_.front();
    free_.pop_front();
    connection.due_ns = load_.rate > 0 ? next_due_ns() : 0;
    connection.request = load_.requests[started_++ % load_.requests.size()];
    start(connection);
  }
}

void Runner::start(Connection& connection) {
  if (connection.state == Connection::State::kClosed) {
    connect(connection);
  } else {
    send(connection);
  }
}

void Runner::connect(Connection& connection) {
  connection.fd = UniqueFd(::socket(address_.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  set_option(connection.fd, IPPROTO_TCP, TCP_NODELAY);
  if (load_.clock == Load::Clock::kPacket) set_option(connection.fd, SOL_SOCKET, SO_TIMESTAMPNS);
  if (::connect(connection.fd.get(), address_.get(), address_.size()) != 0 && errno != EINPROGRESS)
    throw std::system_error(errno, std::generic_category(), "connect to " + load_.host);
  // Edges, so that nothing has to be changed when it is connected.
  epoll_event event{EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.ptr = &connection}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.fd.get(), &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  connection.state = Connection::State::kConnecting;
  connecting_++;
  last_progress_ns_ = now_ns();
}

void Runner::send(Connection& connection) {
  connection.parser.start(connection.request.starts_with("HEAD "));
  connection.state = Connection::State::kBusy;
  busy_++;
  result_.sent++;
  connection.sent_ns = last_progress_ns_ = now_ns();
  const ssize_t size = ::send(connection.fd.get(), connection.request.data(), connection.request.size(), MSG_NOSIGNAL);
  if (size != static_cast<ssize_t>(connection.request.size())) lost(connection);
}

/// Sleeps until something comes, the next request is due, or it is time to look at `until` again.
int Runner::wait_ms() const {
  constexpr int kLookAtUntil = 10;
  if (load_.waits == Load::Waits::kSpin) return 0;
  if (load_.rate > 0 && !free_.empty() && may_send()) {
    const uint64_t due = next_due_ns();
    const itimerspec at{{}, {static_cast<time_t>(due / kNsPerSecond), static_cast<long>(due % kNsPerSecond)}};
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &at, nullptr);
  }
  return kLookAtUntil;
}

void Runner::wait() {
  epoll_event events[128];
  const int count = ::epoll_wait(epoll_.get(), events, std::size(events), wait_ms());
  for (int i = 0; i < count; i++)
    if (events[i].data.ptr != nullptr) handle(*static_cast<Connection*>(events[i].data.ptr), events[i].events);
}

void Runner::handle(Connection& connection, uint32_t events) {
  connection.peer_closed = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  switch (connection.state) {
    case Connection::State::kClosed:
      break;
    case Connection::State::kConnecting:
      connected(connection);
      break;
    case Connection::State::kBusy:
    case Connection::State::kIdle:
      receive(connection);
      break;
  }
}

void Runner::connected(Connection& connection) {
  connecting_--;
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(connection.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == 0) {
    result_.connections_opened++;
    return send(connection);
  }
  if (result_.connections_opened == 0)
    throw std::system_error(error, std::generic_category(), "connect to " + load_.host);
  result_.connections_refused++;
  connection.fd = UniqueFd();
  rest(connection);
}

void Runner::receive(Connection& connection) {
  thread_local std::array<char, 1 << 16> bytes;
  while (true) {
    uint64_t now = 0;
    const ssize_t size = receive_at(connection.fd.get(), bytes, now);
    if (size < 0 && errno == EAGAIN) return;
    const bool busy = connection.state == Connection::State::kBusy;
    if (size == 0 && busy && connection.parser.complete_at_end()) return answered(connection, now);
    if (size <= 0 || !busy) return lost(connection);
    if (connection.parser.feed({bytes.data(), static_cast<size_t>(size)})) return answered(connection, now);
  }
}

void Runner::answered(Connection& connection, uint64_t now) {
  busy_--;
  result_.answered++;
  result_.by_status[connection.parser.status()]++;
  result_.duration.add(now - connection.sent_ns);
  if (load_.rate > 0) result_.since_due.add(now - connection.due_ns);
  last_progress_ns_ = now;
  if (load_.new_connection_each || connection.parser.closes() || connection.peer_closed) connection.fd = UniqueFd();
  rest(connection);
}

/// The connection has ended: by the server while idle, or before its response was whole.
void Runner::lost(Connection& connection) {
  connection.fd = UniqueFd();
  if (connection.state == Connection::State::kIdle) {
    connection.state = Connection::State::kClosed;
    return;
  }
  busy_--;
  result_.failed++;
  rest(connection);
}

void Runner::rest(Connection& connection) {
  connection.state = connection.fd ? Connection::State::kIdle : Connection::State::kClosed;
  free_.push_back(&connection);
}

void Runner::give_up_the_late() {
  if (busy_ + connecting_ == 0 || now_ns() - last_progress_ns_ < kPatienceNs) return;
  stopped_ = true;
  for (const auto& connection : connections_) {
    if (connection->state == Connection::State::kBusy) lost(*connection);
    if (connection->state == Connection::State::kConnecting) {
      connecting_--;
      result_.connections_refused++;
      connection->fd = UniqueFd();
      rest(*connection);
    }
  }
}

}  // namespace

std::string http_request(const std::string& method, const std::string& target) {
  return method + " " + target + " HTTP/1.1\r\nHost: test\r\n\r\n";
}

LoadResult run_load(const Load& load) {
  return Runner(load).run();
}

}  // namespace manometer::test
