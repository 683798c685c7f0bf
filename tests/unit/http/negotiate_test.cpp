#include "agent/http/negotiate.h"

#include <zlib.h>

#include <gtest/gtest.h>

#include "agent/http/gzip.h"

namespace manometer::http {
namespace {

TEST(PrefersOpenMetrics, AsPrometheusAsks) {
  // Prometheus 2.42 and 3.x, as they send it.
  EXPECT_TRUE(
      prefers_open_metrics("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                           "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
  EXPECT_FALSE(prefers_open_metrics("text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
}

TEST(PrefersOpenMetrics, WeighsTheTwo) {
  EXPECT_FALSE(prefers_open_metrics("")) << "whoever asks for nothing gets plain text";
  EXPECT_FALSE(prefers_open_metrics("*/*"));
  EXPECT_FALSE(prefers_open_metrics("application/openmetrics-text;q=0.2, text/plain;q=0.8"));
  EXPECT_TRUE(prefers_open_metrics("text/plain; q=0.2, Application/OpenMetrics-Text; q=0.8"));
  EXPECT_FALSE(prefers_open_metrics("application/openmetrics-text;q=0"));
  EXPECT_FALSE(prefers_open_metrics(";;,,;q=,application/openmetrics-text-not"));
}

TEST(TakesGzip, Listens) {
  EXPECT_TRUE(takes_gzip("gzip"));
  EXPECT_TRUE(takes_gzip("deflate, gzip;q=0.5"));
  EXPECT_FALSE(takes_gzip(""));
  EXPECT_FALSE(takes_gzip("gzip;q=0, identity"));
  EXPECT_FALSE(takes_gzip("br"));
}

std::string gunzip(const std::string& compressed) {
  z_stream stream{};
  EXPECT_EQ(::inflateInit2(&stream, 15 + 16), Z_OK);
  std::string out(1'000'000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  ::inflateEnd(&stream);
  return out;
}

TEST(Gzip, IsReadBack) {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "manometer_jvm_heap_used_bytes{pid=\"" + std::to_string(i) + "\"} 1\n";
  EXPECT_EQ(gunzip(gzip(text)), text);
  EXPECT_LT(gzip(text).size(), text.size() / 4);
  EXPECT_EQ(gunzip(gzip("")), "");
}

}  // namespace
}  // namespace manometer::http
