#include "tests/bench/phases.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <thread>

#include "tests/bench/clients.h"
#include "tests/bpf/clock.h"

namespace manometer::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto kWarmUp = 3s;
constexpr auto kSettle = 60ms;  // after each change, before a phase begins
constexpr auto kPhase = 400ms;

struct Moment {
  uint64_t time_ns = 0;
  size_t answered = 0;
  uint64_t server_ns = 0;
  uint64_t clients_ns = 0;
  std::optional<uint64_t> observed;
};

struct Phase {
  Moment begin;
  Moment end;

  double requests() const { return static_cast<double>(end.answered - begin.answered); }
  double rate() const { return requests() * 1e9 / static_cast<double>(end.time_ns - begin.time_ns); }
  double server_ns() const { return static_cast<double>(end.server_ns - begin.server_ns) / requests(); }
  double both_ns() const { return server_ns() + static_cast<double>(end.clients_ns - begin.clients_ns) / requests(); }
  double observed_share() const {
    if (!begin.observed || !end.observed) return 1;
    return static_cast<double>(*end.observed - *begin.observed) / requests();
  }
};

/// In microseconds, of those that ended in the phase.
double quantile(const Phase& phase, const std::vector<uint64_t>& durations, double share) {
  std::vector<uint64_t> some(durations.begin() + static_cast<ptrdiff_t>(phase.begin.answered),
                             durations.begin() + static_cast<ptrdiff_t>(phase.end.answered));
  const auto at = some.begin() + static_cast<ptrdiff_t>(share * static_cast<double>(some.size() - 1));
  std::ranges::nth_element(some, at);
  return static_cast<double>(*at) / 1e3;
}

/// A phase in numbers.
struct Sample {
  Baseline is;
  double both_ns = 0;
  double observed_share = 1;
};

Sample sample(const Phase& phase, const std::vector<uint64_t>& durations) {
  if (phase.requests() < 100) throw std::runtime_error("a phase without requests: is the machine overloaded?");
  const Baseline is{phase.rate(), quantile(phase, durations, 0.5), quantile(phase, durations, 0.99), phase.server_ns()};
  return {is, phase.both_ns(), phase.observed_share()};
}

class Interleaved {
 public:
  Interleaved(const Server& server, size_t connections) : server_(server), clients_(server.port(), connections, 0) {
    std::this_thread::sleep_for(kWarmUp);
  }

  Phase run(const Design* design) const {
    const auto attached = design != nullptr ? design->attach() : nullptr;
    std::this_thread::sleep_for(kSettle);
    Phase phase;
    phase.begin = now(attached.get());
    std::this_thread::sleep_for(kPhase);
    phase.end = now(attached.get());
    return phase;
  }

  std::vector<uint64_t> finish() { return clients_.finish().duration.all(); }

 private:
  Moment now(const Attached* attached) const {
    return {test::now_ns(), clients_.answered(), cpu_ns(server_.pid()), clients_.cpu_ns(),
            attached != nullptr ? attached->observed() : std::nullopt};
  }

  const Server& server_;
  Clients clients_;
};

Baseline medians(const std::vector<Sample>& samples) {
  const auto of = [&](double Baseline::*field) {
    std::vector<double> values;
    values.reserve(samples.size());
    for (const Sample& one : samples) values.push_back(one.is.*field);
    return median(std::move(values));
  };
  return {of(&Baseline::rate), of(&Baseline::p50_us), of(&Baseline::p99_us), of(&Baseline::server_ns)};
}

/// off has one sample more than on: on[i] ran between off[i] and off[i + 1].
Effect effect_of(const std::string& name, const std::vector<Sample>& off, const std::vector<Sample>& on, size_t first,
                 size_t step) {
  std::vector<double> rate, per_cpu, p50, p99, server, both;
  Effect effect;
  effect.name = name;
  for (size_t i = first; i < on.size(); i += step) {
    const auto beside = [&](auto value) { return (value(off[i]) + value(off[i + 1])) / 2; };
    const auto ratio = [&](auto value) { return value(on[i]) / beside(value); };
    const auto difference = [&](auto value) { return value(on[i]) - beside(value); };
    rate.push_back(ratio([](const Sample& s) { return s.is.rate; }));
    per_cpu.push_back(1 / ratio([](const Sample& s) { return s.both_ns; }));
    p50.push_back(ratio([](const Sample& s) { return s.is.p50_us; }));
    p99.push_back(ratio([](const Sample& s) { return s.is.p99_us; }));
    server.push_back(difference([](const Sample& s) { return s.is.server_ns; }));
    both.push_back(difference([](const Sample& s) { return s.both_ns; }));
    effect.observed_share = std::min(effect.observed_share, on[i].observed_share);
  }
  effect.throughput = estimate(rate);
  effect.per_cpu = estimate(per_cpu);
  effect.p50 = estimate(p50);
  effect.p99 = estimate(p99);
  effect.server_ns = estimate(server);
  effect.both_ns = estimate(both);
  return effect;
}

}  // namespace

Comparison compare(const Server& server, size_t connections, const std::vector<Design>& designs, size_t rounds) {
  Interleaved load(server, connections);
  std::vector<Phase> off{load.run(nullptr)};
  std::vector<Phase> on;
  for (size_t i = 0; i < rounds * designs.size(); ++i) {
    on.push_back(load.run(&designs[i % designs.size()]));
    off.push_back(load.run(nullptr));
  }
  const std::vector<uint64_t> durations = load.finish();
  std::vector<Sample> off_samples, on_samples;
  for (const Phase& phase : off) off_samples.push_back(sample(phase, durations));
  for (const Phase& phase : on) on_samples.push_back(sample(phase, durations));
  Comparison comparison{medians(off_samples), {}};
  for (size_t i = 0; i < designs.size(); ++i)
    comparison.effects.push_back(effect_of(designs[i].name, off_samples, on_samples, i, designs.size()));
  return comparison;
}

}  // namespace manometer::bench
