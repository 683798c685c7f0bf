#include "tests/support/exporter.h"

#include <stdexcept>

namespace manometer::test {

Exporter::Exporter(http::Handler respond) {
  auto server = http::Server::open(loop_, "127.0.0.1:0", std::move(respond), {});
  if (!server) throw std::runtime_error(server.error().message());
  server_ = *std::move(server);
  thread_ = std::thread([this] { loop_.run(); });
}

Exporter::~Exporter() {
  loop_.stop();
  thread_.join();
}

std::string Exporter::address() const {
  return "127.0.0.1:" + std::to_string(server_->endpoint().port());
}

}  // namespace manometer::test
