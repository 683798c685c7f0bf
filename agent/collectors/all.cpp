#include "agent/collectors/all.h"

#include "agent/collectors/container_memory.h"
#include "agent/collectors/http_requests.h"
#include "agent/collectors/jvm_gc.h"
#include "agent/collectors/jvm_heap.h"
#include "agent/collectors/jvm_pressure.h"
#include "agent/collectors/jvm_runtime.h"
#include "agent/collectors/self.h"

namespace manometer::collectors {

std::vector<std::unique_ptr<Collector>> make_collectors(const Sources& sources) {
  std::vector<std::unique_ptr<Collector>> all;
  all.push_back(std::make_unique<ContainerMemory>(sources.containers));
  all.push_back(std::make_unique<JvmHeap>(sources.jvms));
  all.push_back(std::make_unique<JvmGc>(sources.jvms, sources.gc, sources.buckets));
  all.push_back(std::make_unique<JvmPressure>(sources.jvms));
  all.push_back(std::make_unique<JvmRuntime>(sources.jvms));
  all.push_back(std::make_unique<HttpRequests>(sources.requests, sources.buckets));
  all.push_back(std::make_unique<Self>(sources));
  return all;
}

}  // namespace manometer::collectors
