#include "tests/bpf/raw_server.h"

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <sys/syscall.h>
#include <system_error>

#include <fmt/format.h>

namespace manometer::test {
namespace {

std::string to_hex(const std::vector<std::string>& segments) {
  std::string out;
  for (const std::string& segment : segments) {
    out += ' ';
    for (const char byte : segment) out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  }
  return out;
}

const char* name_of(RawServer::Family family) {
  switch (family) {
    case RawServer::Family::kV4:
      return "v4";
    case RawServer::Family::kV6:
      return "v6";
    case RawServer::Family::kDual:
      return "dual";
  }
  return "";
}

}  // namespace

RawServer::RawServer() : child_({binary()}) {}

std::string RawServer::binary() {
  return MANOMETER_RAW_HTTP_SERVER;
}

void RawServer::begin(const std::string& command) {
  child_.write_line(command);
}

RawServer::Answer RawServer::finish() {
  const auto line = child_.read_line();
  if (!line) throw std::runtime_error("raw_http_server does not answer");
  std::istringstream in(*line);
  std::string word;
  in >> word;
  if (word != "ok") {
    int error = 0;
    in >> error;
    throw std::system_error(error, std::generic_category(), "raw_http_server");
  }
  Answer out;
  in >> out.step.value >> out.port >> out.step.first_before_ns >> out.step.first_after_ns >> out.step.last_before_ns >>
      out.step.last_after_ns;
  return out;
}

RawServer::Answer RawServer::does(const std::string& command) {
  begin(command);
  return finish();
}

void RawServer::await_syscall(long number) const {
  const bool there = eventually([&] {
    long now = -1;
    std::ifstream("/proc/" + std::to_string(pid()) + "/syscall") >> now;
    return now == number;
  });
  if (!there) throw std::runtime_error("raw_http_server does not wait in system call " + std::to_string(number));
}

bool RawServer::has_io_uring() {
  try {
    does("uring");
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

RawServer::Listener RawServer::listen(Family family, int backlog) {
  const Answer answer = does(fmt::format("listen {} {}", name_of(family), backlog));
  return {answer.step.value, static_cast<uint16_t>(answer.port)};
}

RawServerConnection RawServer::accept(const Listener& listener) {
  return {*this, does("accept " + std::to_string(listener.fd)).step.value};
}

void RawServer::close(const Listener& listener) {
  does("close " + std::to_string(listener.fd));
}

Step RawServerConnection::does(const std::string& command, const std::string& arguments) {
  return server_.does(command + ' ' + fd_ + ' ' + arguments).step;
}

Step RawServerConnection::await(size_t count) {
  return does("await", std::to_string(count));
}

Step RawServerConnection::read(size_t count) {
  return does("read", std::to_string(count));
}

void RawServerConnection::begin_read(size_t count) {
  server_.begin("read " + fd_ + ' ' + std::to_string(count));
  server_.await_syscall(SYS_ppoll);
}

Step RawServerConnection::read_requests(size_t count) {
  return does("read_until", std::to_string(count));
}

Step RawServerConnection::peek(size_t count) {
  return does("peek", std::to_string(count));
}

void RawServerConnection::begin_recv(size_t count) {
  server_.begin("recv " + fd_ + ' ' + std::to_string(count));
  server_.await_syscall(SYS_recvfrom);
}

Step RawServerConnection::finish() {
  return server_.finish().step;
}

Step RawServerConnection::write(const std::vector<std::string>& segments) {
  return does("write", to_hex(segments));
}

Step RawServerConnection::fill(size_t count) {
  return does("fill", std::to_string(count));
}

void RawServerConnection::begin_fill(size_t count) {
  server_.begin("fill " + fd_ + ' ' + std::to_string(count));
}

Step RawServerConnection::sendfile(const std::string& path, size_t count) {
  return does("sendfile", path + ' ' + std::to_string(count));
}

Step RawServerConnection::uring_read(size_t count) {
  return does("uring_read", std::to_string(count));
}

void RawServerConnection::begin_uring_recv(size_t count) {
  server_.begin("uring_recv " + fd_ + ' ' + std::to_string(count));
  server_.await_syscall(SYS_io_uring_enter);
}

Step RawServerConnection::uring_write(const std::vector<std::string>& segments) {
  return does("uring_write", to_hex(segments));
}

void RawServerConnection::shutdown() {
  does("shutdown");
}

void RawServerConnection::close() {
  does("close");
}

void RawServerConnection::reset() {
  does("reset");
}

}  // namespace manometer::test
