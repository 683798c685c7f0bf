#include "tests/bench/program_costs.h"

#include <chrono>
#include <ctime>
#include <fstream>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <map>
#include <netinet/in.h>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include "agent/bpf/program_stats.h"
#include "tests/bench/clients.h"
#include "tests/bench/designs.h"
#include "tests/bench/statistics.h"
#include "tests/bpf/clock.h"

namespace manometer::bench {
namespace {

using namespace std::chrono_literals;
using probes::RequestProbe;

constexpr size_t kConnections = 64;
constexpr int kOpens = 7;
constexpr int kWindows = 15;
constexpr auto kWindow = 300ms;
constexpr auto kWarmUp = 1s;
constexpr int kTestRuns = 1'000'000;
constexpr int kTestRepeats = 9;

std::unique_ptr<RequestProbe> open_probe() {
  auto probe = RequestProbe::open(probe_options());
  if (!probe) throw std::runtime_error(probe.error().message());
  return *std::move(probe);
}

/// Bytes of kernel memory that the kernel counts for a map.
double memory_of_map(int fd) {
  std::ifstream info(fmt::format("/proc/self/fdinfo/{}", fd));
  std::string key;
  while (info >> key) {
    double bytes = 0;
    if (key == "memlock:" && info >> bytes) return bytes;
  }
  return 0;
}

bool is_per_cpu(const bpf_map* map) {
  const auto type = ::bpf_map__type(map);
  return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

/// MB of all maps with so many targets, and on how many CPUs that depends.
void print_memory(RequestProbe& probe, size_t targets, std::vector<RequestProbe::Target>& added) {
  while (added.size() < targets) {
    // Above the kernel's highest pid.
    auto target = probe.add(static_cast<pid_t>(5'000'000 + added.size()));
    if (!target) throw std::runtime_error(target.error().message());
    added.push_back(*std::move(target));
  }
  double bytes = 0;
  size_t each_cpu = 0;
  const bpf_map* map = nullptr;
  while ((map = ::bpf_object__next_map(probe.object(), map)) != nullptr) {
    bytes += memory_of_map(::bpf_map__fd(map));
    if (is_per_cpu(map)) each_cpu += size_t{::bpf_map__value_size(map)} * ::bpf_map__max_entries(map);
  }
  for (const auto& target : added) bytes += memory_of_map(target.entries.get());
  print_row(fmt::format("request programs: maps, {} target{}", targets, targets == 1 ? "" : "s"),
            fmt::format("{:.1f} MB, of these {} bytes for each CPU", bytes / 1e6, each_cpu),
            targets == 200 ? "<= 32 MB" : "-");
}

bpf_prog_info info_of(int program) {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  ::bpf_obj_get_info_by_fd(program, &info, &size);
  return info;
}

void print_programs(const bpf_object* object) {
  bpf_program* program = nullptr;
  while ((program = ::bpf_object__next_program(object, program)) != nullptr) {
    const bpf_prog_info info = info_of(::bpf_program__fd(program));
    print_row(
        fmt::format("request programs: {}", ::bpf_program__name(program)),
        fmt::format("{} instructions, {} verified", info.xlated_prog_len / sizeof(bpf_insn), info.verified_insns));
  }
}

/// Ethernet, IPv4 and TCP with so many bytes to carry, of a connection that nobody watches.
std::string make_packet(size_t payload) {
  ethhdr ethernet{};
  ethernet.h_proto = htons(ETH_P_IP);
  iphdr ip{};
  ip.version = 4;
  ip.ihl = sizeof(ip) / 4;
  ip.protocol = IPPROTO_TCP;
  ip.tot_len = htons(static_cast<uint16_t>(sizeof(ip) + sizeof(tcphdr) + payload));
  tcphdr tcp{};
  tcp.doff = sizeof(tcp) / 4;
  const auto bytes = [](const auto& header) {
    return std::string(reinterpret_cast<const char*>(&header), sizeof(header));
  };
  return bytes(ethernet) + bytes(ip) + bytes(tcp) + std::string(payload, 'x');
}

/// Nanoseconds of one run, warm.
double test_run_ns(const bpf_program* program, const std::string& packet) {
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = packet.data();
  options.data_size_in = static_cast<__u32>(packet.size());
  options.repeat = kTestRuns;
  if (::bpf_prog_test_run_opts(::bpf_program__fd(program), &options) != 0)
    throw std::system_error(errno, std::generic_category(), "BPF_PROG_TEST_RUN");
  if (options.retval != 1) throw std::runtime_error("a program dropped a packet");
  return options.duration;
}

const bpf_program* program_of(const Attached& attached, const char* name) {
  return ::bpf_object__find_program_by_name(attached.object(), name);
}

/// Agent's programs and the empty ones take turns.
void print_foreign(const Attached& agent, const Attached& empty) {
  for (const size_t payload : {size_t{0}, size_t{200}}) {
    const std::string packet = make_packet(payload);
    for (const std::string direction : {"in", "out"}) {
      std::vector<double> ours, floor;
      for (int i = 0; i < kTestRepeats; ++i) {
        floor.push_back(test_run_ns(program_of(empty, ("empty_" + direction).c_str()), packet));
        ours.push_back(test_run_ns(program_of(agent, ("request_" + direction).c_str()), packet));
      }
      print_row(fmt::format("request_{}: foreign packet with {} bytes, warm", direction, payload),
                fmt::format("{:.0f} ns  (an empty program {:.0f})", median(ours), median(floor)), "<= 40 ns");
    }
  }
}

using Stats = std::map<std::string, bpf::ProgramStats>;

Stats stats_of(const Attached& agent, const Attached& empty) {
  Stats stats;
  for (const Attached* attached : {&agent, &empty}) {
    for (auto& one : bpf::program_stats(attached->object())) stats.emplace(one.program, std::move(one));
  }
  return stats;
}

/// Of one window, for a program: runs for each request, and nanoseconds for each run.
struct Runs {
  std::vector<double> per_request;
  std::vector<double> ns;
};

void print_runs(const std::string& load, const std::map<std::string, Runs>& runs) {
  const std::map<std::string, std::string> floors = {
      {"request_in", "empty_in"}, {"request_out", "empty_out"}, {"request_read", "empty_read"}};
  double sum = 0;
  for (const auto& [program, empty] : floors) {
    const double per_request = median(runs.at(program).per_request);
    const double ns = median(runs.at(program).ns);
    const double floor = median(runs.at(empty).ns);
    sum += per_request * (ns - floor);
    print_row(fmt::format("{}: {}", load, program),
              fmt::format("{:.2f} runs a request of {:.0f} ns  (empty {:.0f})", per_request, ns, floor));
  }
  print_row(load + ": all of them", fmt::format("{:.0f} ns a request, without what empty ones take", sum), "<= 600 ns");
}

/// While the kernel counts what programs cost.
void print_in_place(const std::string& name, const Server& server, const ServerCgroup& cgroup, double rate) {
  Clients clients(server.port(), kConnections, rate);
  std::this_thread::sleep_for(kWarmUp);
  const UniqueFd counting(::bpf_enable_stats(BPF_STATS_RUN_TIME));
  const auto empty = attach_empty(cgroup);
  const auto agent = attach_request_probe(server, cgroup);
  std::this_thread::sleep_for(kWarmUp);
  std::map<std::string, Runs> runs;
  for (int i = 0; i < kWindows; ++i) {
    const size_t answered = clients.answered();
    const Stats before = stats_of(*agent, *empty);
    std::this_thread::sleep_for(kWindow);
    const Stats after = stats_of(*agent, *empty);
    const auto requests = static_cast<double>(clients.answered() - answered);
    for (const auto& [program, stats] : after) {
      const auto count = static_cast<double>(stats.runs - before.at(program).runs);
      if (count == 0 || requests == 0) continue;
      runs[program].per_request.push_back(count / requests);
      runs[program].ns.push_back(static_cast<double>(stats.run_ns - before.at(program).run_ns) / count);
    }
  }
  clients.finish();
  print_runs(name, runs);
}

}  // namespace

void load_costs() {
  std::vector<double> took, cpu;
  for (int i = 0; i < kOpens; ++i) {
    const uint64_t start = test::now_ns();
    const std::clock_t cpu_start = std::clock();
    open_probe();
    took.push_back(static_cast<double>(test::now_ns() - start) / 1e6);
    cpu.push_back(static_cast<double>(std::clock() - cpu_start) * 1e3 / CLOCKS_PER_SEC);
  }
  print_row("request programs: open, verify, attach and close",
            fmt::format("{:.0f} ms, of these CPU {:.0f} ms", median(took), median(cpu)));
  const auto probe = open_probe();
  print_programs(probe->object());
  std::vector<RequestProbe::Target> targets;
  print_memory(*probe, 1, targets);
  print_memory(*probe, 200, targets);
  print_row("request programs: state of a connection", fmt::format("{} bytes", sizeof(request_socket)));
}

void program_costs() {
  const ServerCgroup cgroup;
  const auto server = make_echo_server(cgroup);
  print_foreign(*attach_request_probe(*server, cgroup), *attach_empty(cgroup));
  print_in_place("echo server, 10000 req/s", *server, cgroup, 10'000);
  print_in_place("echo server, saturated", *server, cgroup, 0);
}

}  // namespace manometer::bench
