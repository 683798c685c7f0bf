// The parsers of the kernel's files, whose content a container partly chooses (names, paths), of where a USDT probe's
// arguments are, and of a scrape's text.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/container/cgroup_name.h"
#include "agent/container/pod_names.h"
#include "agent/metrics/parse.h"
#include "agent/node/capabilities.h"
#include "agent/node/cgroup_fs.h"
#include "agent/node/flat_keyed.h"
#include "agent/node/node_cgroups.h"
#include "agent/node/proc_fs.h"
#include "agent/node/process_threads.h"
#include "agent/node/psi.h"
#include "agent/probes/usdt_arguments.h"

namespace {

template <typename T>
void ignore(const manometer::Result<T>& result) {
  if (!result && result.error().message().empty()) __builtin_trap();  // every error says something
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manometer;  // NOLINT(google-build-using-namespace): a program of its own
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 15) {
    case 0:
      ignore(node::parse_stat(text));
      break;
    case 1:
      ignore(node::parse_maps(text));
      break;
    case 2:
      ignore(node::parse_namespace_pid(text));
      break;
    case 3:
      ignore(node::parse_cgroup(text));
      break;
    case 4:
      ignore(node::parse_flat_keyed(text));
      break;
    case 5:
      ignore(node::parse_psi(text));
      break;
    case 6:
      ignore(node::parse_limit(text));
      break;
    case 7:
      ignore(node::parse_effective_capabilities(text));
      break;
    case 8:
      ignore(node::parse_syscall(text));
      break;
    case 9:
      static_cast<void>(node::parse_cgroup_mounts(text));
      break;
    case 10:
      static_cast<void>(container::parse_cgroup_name(text));
      break;
    case 11:
      static_cast<void>(container::parse_mounted_container(text, "48ea6dbad93797db01928fb7884b8154"));
      break;
    case 12:
      ignore(probes::parse_usdt_arguments(text, probes::Machine::kX86));
      break;
    case 13:
      ignore(probes::parse_usdt_arguments(text, probes::Machine::kArm));
      break;
    default:
      ignore(metrics::parse_prometheus_text(text));
      break;
  }
  return 0;
}
