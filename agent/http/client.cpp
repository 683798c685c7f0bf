#include "agent/http/client.h"

#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

namespace manometer::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Answer = beast::http::response<beast::http::string_body>;

struct Question {
  std::string host;
  std::string port;
  beast::http::request<beast::http::empty_body> request;
  std::chrono::milliseconds timeout;
};

asio::awaitable<Answer> ask(asio::io_context& loop, Question question) {
  asio::ip::tcp::resolver resolver(loop);
  beast::tcp_stream stream(loop);
  stream.expires_after(question.timeout);
  const auto endpoints = co_await resolver.async_resolve(question.host, question.port, asio::use_awaitable);
  co_await stream.async_connect(endpoints, asio::use_awaitable);
  co_await beast::http::async_write(stream, question.request, asio::use_awaitable);
  beast::flat_buffer buffer;
  beast::http::response_parser<beast::http::string_body> parser;
  constexpr uint64_t kMaxAnswer = 256ULL << 20U;
  parser.body_limit(kMaxAnswer);
  co_await beast::http::async_read(stream, buffer, parser, asio::use_awaitable);
  co_return parser.release();
}

}  // namespace

Result<Answer> get(const std::string& address, const std::string& target, std::chrono::milliseconds timeout,
                   const std::map<std::string, std::string>& headers) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return Error("'" + address + "' is not HOST:PORT");
  constexpr unsigned kHttp11 = 11;
  Question question{
      address.substr(0, colon), address.substr(colon + 1), {beast::http::verb::get, target, kHttp11}, timeout};
  question.request.set(beast::http::field::host, address);
  for (const auto& [name, value] : headers) question.request.set(name, value);
  asio::io_context loop{1};
  std::optional<Answer> answer;
  std::string problem;
  asio::co_spawn(loop, ask(loop, std::move(question)), [&](const std::exception_ptr& failed, Answer got) {
    if (!failed) {
      answer.emplace(std::move(got));
      return;
    }
    try {
      std::rethrow_exception(failed);
    } catch (const boost::system::system_error& error) {  // the library's coroutines report errors this way
      problem = error.code().message();
    }
  });
  loop.run();
  if (!answer) return Error(std::move(problem));
  return *std::move(answer);
}

}  // namespace manometer::http
