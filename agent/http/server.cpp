#include "agent/http/server.h"

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include "agent/base/log.h"
#include "agent/base/text.h"

namespace manometer::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

Result<tcp::endpoint> parse_address(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return Error("'" + address + "' is not HOST:PORT");
  std::string host = address.substr(0, colon);
  uint16_t port = 0;
  if (!parse_number(std::string_view(address).substr(colon + 1), port))
    return Error("'" + address + "': the port must be a number from 0 to 65535");
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty()) host = "0.0.0.0";
  error_code error;
  const auto ip = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error) return Error("'" + host + "' is not an IP address");
  return tcp::endpoint(ip, port);
}

/// True if the client sent something that is not a request, or too much; false if it went away or was slow.
bool is_malformed(const error_code& http_error) {
  using beast::http::error;
  static const auto& http_errors = beast::http::make_error_code(error::end_of_stream).category();
  return http_error.category() == http_errors && http_error != error::end_of_stream &&
         http_error != error::partial_message;
}

/// The answer to it, after which the connection ends.
Response refuse(const error_code& error) {
  using beast::http::status;
  status code = status::bad_request;
  if (error == beast::http::error::header_limit) code = status::request_header_fields_too_large;
  if (error == beast::http::error::body_limit) code = status::payload_too_large;
  Response response = make_response(Request(), code, "text/plain", error.message() + "\n");
  response.keep_alive(false);
  return response;
}

}  // namespace

Response make_response(const Request& request, beast::http::status status, std::string_view content_type,
                       std::string body) {
  Response response(status, request.version());
  response.set(beast::http::field::content_type, {content_type.data(), content_type.size()});
  response.keep_alive(request.keep_alive());
  response.body() = std::move(body);
  response.prepare_payload();
  // The length of what GET would send, without sending it.
  if (request.method() == beast::http::verb::head) response.body().clear();
  return response;
}

Result<std::unique_ptr<Server>> Server::open(asio::io_context& loop, const std::string& address, Handler handler,
                                             Limits limits) {
  std::unique_ptr<Server> server(new Server(loop, std::move(handler), limits));
  const auto listening = server->listen(address);
  if (!listening) return listening.error();
  asio::co_spawn(loop, server->accept(), asio::detached);
  return server;
}

Server::~Server() = default;

Result<void> Server::listen(const std::string& address) {
  const auto endpoint = parse_address(address);
  if (!endpoint) return endpoint.error();
  error_code error;
  acceptor_.open(endpoint->protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(*endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (!error) endpoint_ = acceptor_.local_endpoint(error);
  if (error) return Error(error.message());
  return {};
}

void Server::enter(Session& session, State state) {
  if (session.state == State::kClosed) return;
  session.state = state;
  session.since = std::chrono::steady_clock::now();
}

/// Makes room for one more session in that state.
void Server::evict_oldest(State state, size_t limit) {
  auto oldest = sessions_.end();
  size_t count = 0;
  for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
    if (it->state != state) continue;
    ++count;
    if (oldest == sessions_.end() || it->since < oldest->since) oldest = it;
  }
  if (count < limit) return;
  ++evicted_;
  oldest->state = State::kClosed;
  oldest->stream.close();  // its coroutine sees that and takes it off the list
}

asio::awaitable<void> Server::accept() {
  for (;;) {
    error_code error;
    tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      spdlog::warn("accept a connection: {}", error.message());
      // Out of descriptors, most likely: give those in use time to go.
      constexpr std::chrono::milliseconds kRetryAfter{100};
      asio::steady_timer timer(acceptor_.get_executor(), kRetryAfter);
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    evict_oldest(State::kReading, limits_.connections);
    const auto session = sessions_.emplace(sessions_.end(), Session{beast::tcp_stream(std::move(socket)), {}, {}});
    asio::co_spawn(acceptor_.get_executor(), serve(session), asio::detached);
  }
}

asio::awaitable<void> Server::serve(std::list<Session>::iterator session) {
  beast::flat_buffer buffer;
  session->stream.expires_after(limits_.request);
  for (bool keep = true; keep;) {
    enter(*session, State::kReading);
    RequestParser parser;
    const error_code error = co_await read(*session, buffer, parser);
    if (is_malformed(error)) co_await send(*session, refuse(error));
    if (error) break;
    keep = co_await send(*session, respond(parser.get()));
    session->stream.expires_after(limits_.idle);
  }
  error_code ignored;  // the client may be gone already
  session->stream.socket().shutdown(tcp::socket::shutdown_both, ignored);
  sessions_.erase(session);
}

/// Reads one request. The caller has set how long to wait for its first byte.
asio::awaitable<error_code> Server::read(Session& session, beast::flat_buffer& buffer, RequestParser& parser) {
  error_code error;
  parser.header_limit(limits_.header_bytes);
  parser.body_limit(limits_.body_bytes);
  if (buffer.size() == 0) {
    const auto space = buffer.prepare(limits_.header_bytes);
    const size_t bytes =
        co_await session.stream.async_read_some(space, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return error;
    buffer.commit(bytes);
  }
  session.stream.expires_after(limits_.request);
  co_await beast::http::async_read(session.stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
  co_return error;
}

/// False: the connection is over.
asio::awaitable<bool> Server::send(Session& session, Response response) {
  error_code error;
  evict_oldest(State::kSending, limits_.responses);
  enter(session, State::kSending);
  session.stream.expires_after(limits_.response);
  co_await beast::http::async_write(session.stream, response, asio::redirect_error(asio::use_awaitable, error));
  co_return !error && response.keep_alive();
}

Response Server::respond(const Request& request) const {
  using beast::http::verb;
  if (request.method() == verb::get || request.method() == verb::head) return handler_(request);
  Response response = make_response(request, beast::http::status::method_not_allowed, "text/plain", "use GET\n");
  response.set(beast::http::field::allow, "GET, HEAD");
  return response;
}

}  // namespace manometer::http
