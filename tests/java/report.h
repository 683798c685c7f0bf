#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace manometer::test {

/// What a JVM says of itself through its MXBeans, at one moment (Workload.java's "report").
struct Report {
  struct Pool {
    double used = 0;
    double committed = 0;
    double max = 0;
    double used_after_collection = 0;  // -1: the pool does not tell
  };
  struct Collector {
    double count = 0;
    double milliseconds = 0;
  };

  std::string vm;
  std::string java_version;
  std::string vm_version;
  double heap_used = 0;
  double heap_committed = 0;
  double heap_max = 0;
  double max_memory = 0;
  std::map<std::string, Pool> heap_pools;
  std::map<std::string, Pool> other_pools;
  std::map<std::string, Collector> collectors;
  double threads = 0;
  double daemon_threads = 0;
  double started_threads = 0;
  double loaded_classes = 0;
  double unloaded_classes = 0;
  double jit_milliseconds = 0;

  /// Sum over the heap's pools of what each held after its last collection.
  double heap_used_after_collection() const;
  /// The only heap pool whose name ends so; throws if there is none.
  const Pool& heap_pool(std::string_view ending) const;
};

/// Throws if it is not a whole report.
Report parse_report(std::string_view text);

}  // namespace manometer::test
