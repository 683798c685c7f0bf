#pragma once

#include <memory>
#include <string>
#include <thread>

#include <boost/asio/io_context.hpp>

#include "agent/http/server.h"

namespace manometer::test {

/// A server of a test's own on loopback, in a thread that is stopped with the object.
class Exporter {
 public:
  explicit Exporter(http::Handler respond);
  ~Exporter();
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  std::string address() const;

 private:
  boost::asio::io_context loop_{1};
  std::unique_ptr<http::Server> server_;
  std::thread thread_;
};

}  // namespace manometer::test
