// The search of a process's memory for its performance data, in memory that is wholly the process's to fill: this one's
// own, at the address where a fake libjvm is mapped.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>
#include <unistd.h>

#include "agent/jvm/vm_structs.h"
#include "agent/node/process_memory.h"
#include "tests/support/fake_libjvm.h"
#include "tests/support/mapped_memory.h"

namespace {

using namespace manometer;  // NOLINT(google-build-using-namespace): a program of its own

constexpr size_t kRoom = 1U << 14U;

node::ProcessMemory own_memory() {
  const auto process = node::ProcFs::open("/proc")->process(::getpid());
  return **node::ProcessMemory::open(**process);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const node::ProcessMemory memory = own_memory();
  static test::MappedMemory library(test::FakeLibjvm::kBase, kRoom);
  std::vector<std::byte> image(kRoom);
  std::memcpy(image.data(), data, std::min(size, image.size()));
  library.write(0, image);
  const auto structs = jvm::find_vm_structs(memory, test::FakeLibjvm::kBase);
  if (!structs && structs.error().message().empty()) std::abort();
  if (!structs || !*structs) return 0;
  const auto found = jvm::find_perf_memory(memory, **structs);
  if (!found && found.error().message().empty()) std::abort();
  if (found && *found && (*found)->start == 0) std::abort();
  return 0;
}
