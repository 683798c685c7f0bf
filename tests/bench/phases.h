#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/designs.h"
#include "tests/bench/statistics.h"

namespace manometer::bench {

/// What is to be compared with nothing being attached.
struct Design {
  std::string name;
  std::function<std::unique_ptr<Attached>()> attach;  // may give nullptr: the A/A control
};

/// What a design does to a server, phase by phase: each of its phases against the mean of the two beside it in which
/// nothing is attached.
struct Effect {
  std::string name;
  Estimate throughput;        // ratio
  Estimate per_cpu;           // ratio of requests for each second of CPU: holds also where others use the machine
  Estimate p50;               // ratio
  Estimate p99;               // ratio
  Estimate server_ns;         // CPU added, for each request
  Estimate both_ns;           // the same with the clients: on loopback the server's ingress runs in their system calls
  double observed_share = 1;  // of the requests in its phases, the least that any of them measured
};

struct Baseline {
  double rate = 0;  // requests per second
  double p50_us = 0;
  double p99_us = 0;
  double server_ns = 0;  // CPU for each request
};

struct Comparison {
  Baseline baseline;  // medians
  std::vector<Effect> effects;
};

/// Loads the server from these connections all the time, and attaches and detaches the designs in turn, so often.
Comparison compare(const Server& server, size_t connections, const std::vector<Design>& designs, size_t rounds);

}  // namespace manometer::bench
