#include "agent/http/scrape.h"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace manometer::http {
namespace {

constexpr unsigned kHttp11 = 11;

TEST(Scrape, IsReadyOnceTheFirstValuesAreThere) {
  boost::asio::io_context loop;
  const auto server = Server::open(loop, "127.0.0.1:0", {}, {});
  LogOnce log;
  bool ready = false;
  Scrape scrape(
      {}, [&ready] { return ready; }, **server, log);
  const Request request(boost::beast::http::verb::get, "/readyz", kHttp11);
  EXPECT_EQ(scrape.respond(request).result_int(), 503U);
  EXPECT_EQ(scrape.respond({boost::beast::http::verb::get, "/healthz", kHttp11}).result_int(), 200U);
  ready = true;
  EXPECT_EQ(scrape.respond(request).result_int(), 200U);
}

}  // namespace
}  // namespace manometer::http
