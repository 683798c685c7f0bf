#include "agent/node/psi.h"

#include "agent/base/text.h"

namespace manometer::node {
namespace {

/// "some avg10=0.00 avg60=0.00 avg300=0.00 total=42"
bool parse_total(std::string_view line, std::string_view kind, uint64_t& total) {
  constexpr std::string_view kTotal = " total=";
  const size_t at = line.find(kTotal);
  return line.starts_with(kind) && at != std::string_view::npos && parse_number(line.substr(at + kTotal.size()), total);
}

}  // namespace

Result<Psi> parse_psi(std::string_view text) {
  Psi psi;
  if (!parse_total(take_until(text, '\n'), "some ", psi.some_us) ||
      !parse_total(take_until(text, '\n'), "full ", psi.full_us)) {
    return Error("malformed pressure file");
  }
  return psi;
}

}  // namespace manometer::node
