#include "tests/bpf/talk.h"

#include "tests/bpf/clock.h"

namespace manometer::test {

Talk::Talk(RawServer& server, const RawServer::Listener& listener, const std::string& host, int receive_buffer)
    : client_(listener.port, host, receive_buffer), server_(server.accept(listener)) {}

Between Talk::send(const std::vector<std::string>& segments, uint64_t requests) {
  std::optional<Between> first;
  sent_ += requests;
  for (const std::string& segment : segments) {
    const SendTimes times = client_.send(segment);
    unread_ += segment.size();
    server_.await(unread_);
    // Not times.after_ns: on a busy machine a packet may reach the other end after the call that sent it returned.
    if (!first) first = {times.before_ns, now_ns()};
  }
  return first.value();
}

Between Talk::read(size_t count) {
  const Step step = server_.read(count);
  unread_ -= static_cast<size_t>(step.value);
  return first_of(step);
}

void Talk::write(const std::vector<std::string>& segments, Timeline& request) {
  const Step step = server_.write(segments);
  request.first_byte = first_of(step);
  // The last of many may have to wait for acknowledgements, not for us.
  request.last_byte = {step.last_before_ns, client_.receive(static_cast<size_t>(step.value)).last_ns};
}

void Talk::write(const std::vector<std::string>& segments) {
  Timeline nobodys;
  write(segments, nobodys);
}

void Talk::answer(const std::vector<std::string>& segments, Timeline& request) {
  request.read = read();
  write(segments, request);
}

void Talk::answer(const std::vector<std::string>& segments) {
  Timeline nobodys;
  answer(segments, nobodys);
}

Timeline Talk::exchange(const std::vector<std::string>& request, const std::vector<std::string>& response) {
  Timeline out;
  out.arrival = send(request);
  answer(response, out);
  return out;
}

std::vector<std::string> bytes_of(const std::string& text) {
  std::vector<std::string> out;
  for (const char byte : text) out.emplace_back(1, byte);
  return out;
}

std::vector<std::string> cut(const std::string& text, size_t at) {
  return {text.substr(0, at), text.substr(at)};
}

std::string repeat(const std::string& text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; i++) out += text;
  return out;
}

}  // namespace manometer::test
