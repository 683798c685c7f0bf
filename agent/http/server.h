#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "agent/base/result.h"
#include "agent/base/types.h"

namespace manometer::http {

using Request = boost::beast::http::request<boost::beast::http::string_body>;
using Response = boost::beast::http::response<boost::beast::http::string_body>;
using RequestParser = boost::beast::http::request_parser<boost::beast::http::string_body>;
using Handler = std::function<Response(const Request&)>;

/// What one client, or many, may take. A client that is slow or wants more is cut off; the loop never waits for it.
struct Limits {
  uint32_t header_bytes = 8192;
  uint64_t body_bytes = 1024;       // nobody needs to send us one
  std::chrono::seconds request{5};  // from its first byte, or from the connection's start, to its end
  std::chrono::seconds idle{60};    // between requests: Prometheus keeps its connection open
  std::chrono::seconds response{10};
  // Past these, the client that has kept us waiting longest makes room: a scrape takes milliseconds.
  size_t connections = 64;
  size_t responses = 8;  // being sent at once, each held in memory
};

/// A small HTTP/1.1 server on the loop.
class Server {
 public:
  /// address: "HOST:PORT", an IPv6 host in brackets, no host for all; port 0 takes a free one. handler is called on the
  /// loop.
  static Result<std::unique_ptr<Server>> open(boost::asio::io_context& loop, const std::string& address,
                                              Handler handler, Limits limits);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  boost::asio::ip::tcp::endpoint endpoint() const { return endpoint_; }
  /// Connections that were cut off because there were too many.
  uint64_t evicted() const { return evicted_; }

 private:
  enum class State { kReading, kSending, kClosed };
  struct Session {
    boost::beast::tcp_stream stream;
    State state = State::kReading;
    TimePoint since;  // it is in that state
  };

  Server(boost::asio::io_context& loop, Handler handler, Limits limits)
      : acceptor_(loop), handler_(std::move(handler)), limits_(limits) {}

  Result<void> listen(const std::string& address);
  boost::asio::awaitable<void> accept();
  boost::asio::awaitable<void> serve(std::list<Session>::iterator session);
  boost::asio::awaitable<boost::beast::error_code> read(Session& session, boost::beast::flat_buffer& buffer,
                                                        RequestParser& parser);
  boost::asio::awaitable<bool> send(Session& session, Response response);
  Response respond(const Request& request) const;
  void enter(Session& session, State state);
  void evict_oldest(State state, size_t limit);

  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::ip::tcp::endpoint endpoint_;
  Handler handler_;
  Limits limits_;
  std::list<Session> sessions_;
  uint64_t evicted_ = 0;
};

/// A whole response with what every response has.
Response make_response(const Request& request, boost::beast::http::status status, std::string_view content_type,
                       std::string body);

}  // namespace manometer::http
