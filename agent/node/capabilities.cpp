#include "agent/node/capabilities.h"

#include <fcntl.h>

#include "agent/base/text.h"
#include "agent/node/read_file.h"

namespace manometer::node {

Result<uint64_t> parse_effective_capabilities(std::string_view status) {
  constexpr std::string_view kName = "\nCapEff:\t";
  const size_t at = status.find(kName);
  if (at == std::string_view::npos) return Error("no CapEff line");
  status.remove_prefix(at + kName.size());
  constexpr int kHex = 16;
  uint64_t mask = 0;
  if (!parse_number(take_until(status, '\n'), mask, kHex)) return Error("malformed CapEff line");
  return mask;
}

Result<bool> has_capability(Capability capability) {
  // Our own /proc, whatever --host-proc says.
  const auto mask = read_and_parse(AT_FDCWD, "/proc/self/status", parse_effective_capabilities);
  if (!mask) return mask.error();
  if (!*mask) return Error("/proc is not mounted");
  return (**mask >> static_cast<unsigned>(capability) & 1U) != 0;
}

}  // namespace manometer::node
