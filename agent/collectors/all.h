#pragma once

#include <memory>
#include <vector>

#include "agent/collectors/collector.h"

namespace manometer {
class BlockingPool;
class Refusals;
namespace container {
class Index;
}
namespace jvm {
class Discovery;
class GcWatch;
class Registry;
}  // namespace jvm
namespace metrics {
class Buckets;
}
namespace probes {
class Probes;
}
namespace requests {
class ProcessFinder;
class Watch;
}  // namespace requests
}  // namespace manometer

namespace manometer::collectors {

/// What the collectors read. All of it must outlive them.
struct Sources {
  const container::Index& containers;
  const jvm::Registry& jvms;
  const jvm::Discovery& discovery;
  const Refusals& refusals;  // of JVMs
  const probes::Probes& probes;
  const BlockingPool& pool;
  const metrics::Buckets& buckets;        // of histograms that the kernel counts
  const jvm::GcWatch* gc;                 // nullptr: it is not measured
  const requests::Watch* requests;        // the same
  const requests::ProcessFinder* finder;  // the same
};

/// Every collector there is, in the order in which they run.
std::vector<std::unique_ptr<Collector>> make_collectors(const Sources& sources);

}  // namespace manometer::collectors
