// Usage: http_load PORT CONNECTIONS SECONDS [RATE]
// Loads the server on that port of loopback and prints what its clients saw. For the bench, and to try a server by
// hand.

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "tests/bpf/clock.h"
#include "tests/bpf/http_load.h"

int main(int argc, char** argv) {
  using namespace manometer::test;
  if (argc < 4) {
    std::fprintf(stderr, "usage: http_load PORT CONNECTIONS SECONDS [RATE]\n");
    return 2;
  }
  try {
    const uint64_t start = now_ns();
    const double seconds = std::atof(argv[3]);
    const uint64_t end = start + static_cast<uint64_t>(seconds * 1e9);
    Load load;
    load.port = static_cast<uint16_t>(std::atoi(argv[1]));
    load.connections = static_cast<size_t>(std::atoi(argv[2]));
    load.rate = argc > 4 ? std::atof(argv[4]) : 0;
    load.waits = Load::Waits::kSleep;
    load.clock = Load::Clock::kPacket;
    load.until = [end](const LoadResult&) { return now_ns() >= end; };
    const LoadResult result = run_load(load);
    const double took = static_cast<double>(now_ns() - start) / 1e9;
    const auto us = [&](double share) { return static_cast<double>(result.duration.quantile_ns(share)) / 1e3; };
    std::printf("sent %lu answered %lu failed %lu rate %.0f/s p50 %.1f us p99 %.1f us max %.1f us\n", result.sent,
                result.answered, result.failed, static_cast<double>(result.answered) / took, us(0.5), us(0.99), us(1));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "http_load: %s\n", e.what());
    return 1;
  }
}
