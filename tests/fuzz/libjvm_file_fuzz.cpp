// The search of a library's file for functions and USDT probes, in a file that is wholly the container's to write.

#include <cstdint>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/base/unique_fd.h"
#include "agent/probes/libjvm_sites.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const manometer::UniqueFd file(::memfd_create("libjvm.so", MFD_CLOEXEC));
  if (::write(file.get(), data, size) != static_cast<ssize_t>(size)) std::abort();
  const auto sites = manometer::probes::find_libjvm_sites(file.get());
  if (!sites && sites.error().message().empty()) std::abort();
  if (!sites) return 0;
  for (const auto* places : {&sites->stall_begin, &sites->stall_end, &sites->block, &sites->block_if, &sites->unblock,
                             &sites->safepoint_begin, &sites->safepoint_end, &sites->collects, &sites->pool_ends}) {
    if (places->size() > 8) std::abort();
  }
  const size_t arguments = sites->pool_arguments.size();
  if (sites->tells_pools() ? arguments != GC_POOL_ARGUMENTS : arguments > GC_POOL_ARGUMENTS) std::abort();
  return 0;
}
