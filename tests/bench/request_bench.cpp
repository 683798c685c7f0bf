// Usage: request_bench [ROUNDS [PART...]]
// Prints what measuring requests costs, row by row, beside the budgets of design section 7. Asserts nothing, but says
// where a phase was not measured. As root; `./dev bench` calls it.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "agent/bpf/skeleton.h"
#include "tests/bench/phases.h"
#include "tests/bench/program_costs.h"

namespace manometer::bench {
namespace {

constexpr size_t kConnections = 64;
constexpr size_t kForeignConnections = 50;
constexpr size_t kRounds = 40;
constexpr double kMeasured = 0.95;

std::string ratio(const Estimate& estimate) {
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", estimate.median, estimate.low, estimate.high);
}

std::string nanoseconds(const Estimate& estimate) {
  return fmt::format("{:+.0f} ns [{:+.0f}, {:+.0f}]", estimate.median, estimate.low, estimate.high);
}

/// Of design section 7, for what the agent does.
struct Budget {
  std::string throughput = "-";
  std::string cpu = "-";
};

void print_effect(const std::string& server, const Effect& effect, const Budget& budget) {
  const std::string name = server + ", " + effect.name + ": ";
  if (effect.observed_share < kMeasured) {
    print_row(name + "FAILED",
              fmt::format("a phase measured only {:.1f} % of its requests", 100 * effect.observed_share));
    return;
  }
  print_row(name + "throughput", ratio(effect.throughput), budget.throughput);
  print_row(name + "throughput for CPU spent", ratio(effect.per_cpu), budget.throughput);
  print_row(name + "p50", ratio(effect.p50));
  print_row(name + "p99", ratio(effect.p99));
  print_row(name + "server's CPU a request", nanoseconds(effect.server_ns), budget.cpu);
  print_row(name + "and the clients'", nanoseconds(effect.both_ns));
}

void print(const std::string& server, const Comparison& comparison, const Budget& budget) {
  const Baseline& off = comparison.baseline;
  print_row(server, fmt::format("{:.0f} req/s, p50 {:.0f} us, p99 {:.0f} us, CPU {:.1f} us", off.rate, off.p50_us,
                                off.p99_us, off.server_ns / 1e3));
  for (const Effect& effect : comparison.effects)
    print_effect(server, effect, effect.name.starts_with("agent") ? budget : Budget{});
}

std::unique_ptr<Attached> nothing() {
  return nullptr;
}

void compare_designs(const std::string& name, const Server& server, const ServerCgroup& cgroup, const Budget& budget,
                     size_t rounds) {
  const std::vector<Design> designs = {{"nothing (A/A)", nothing},
                                       {"empty programs", [&] { return attach_empty(cgroup); }},
                                       {"agent", [&] { return attach_request_probe(server, cgroup); }},
                                       {"syscalls", [&] { return attach_syscalls(server); }}};
  print(name, compare(server, kConnections, designs, rounds), budget);
}

void tomcat(size_t rounds) {
  const ServerCgroup cgroup;
  const auto server = make_tomcat(cgroup);
  if (server == nullptr) {
    print_row("Tomcat", "not measured: needs libtomcat10-java and openjdk-17-jdk-headless");
    return;
  }
  compare_designs("Tomcat", *server, cgroup, {">= 0.97", "<= 600 ns"}, rounds);
}

void echo(size_t rounds) {
  const ServerCgroup cgroup;
  const auto server = make_echo_server(cgroup);
  compare_designs("echo server", *server, cgroup, {">= 0.95", "<= 600 ns"}, rounds);
}

void foreign(size_t rounds) {
  const ServerCgroup cgroup;
  const auto server = make_echo_server(cgroup);
  const std::vector<Design> designs = {{"nothing (A/A)", nothing},
                                       {"empty programs at the root", attach_empty_to_root},
                                       {"agent at the root", attach_to_root}};
  print("50 unwatched connections", compare(*server, kForeignConnections, designs, rounds), {">= 0.99", "-"});
}

/// In the order they run in, unless parts are named.
const std::vector<std::pair<std::string, void (*)(size_t)>> kParts = {
    {"load", [](size_t) { load_costs(); }},
    {"programs", [](size_t) { program_costs(); }},
    {"tomcat", tomcat},
    {"echo", echo},
    {"foreign", foreign},
};

}  // namespace
}  // namespace manometer::bench

int main(int argc, char** argv) {
  using namespace manometer::bench;
  try {
    manometer::bpf::set_up_libbpf_log();
    const size_t rounds = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : kRounds;
    const std::vector<std::string> wanted(argv + std::min(argc, 2), argv + argc);
    for (const auto& [name, run] : kParts) {
      if (wanted.empty() || std::ranges::find(wanted, name) != wanted.end()) run(rounds);
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "request_bench: %s\n", e.what());
    return 1;
  }
}
