#include "agent/probes/usdt_notes.h"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <optional>

namespace manometer::probes {
namespace {

constexpr std::string_view kOwner("stapsdt\0", 8);
constexpr uint32_t kType = 3;

/// Cuts size bytes off the front, and what pads them to four; nullopt: there are not so many.
std::optional<std::string_view> take(std::string_view& rest, size_t size) {
  constexpr size_t kAlignment = 4;
  if (size > rest.size()) return std::nullopt;
  const std::string_view taken = rest.substr(0, size);
  const size_t padded = (size + kAlignment - 1) / kAlignment * kAlignment;
  rest.remove_prefix(std::min(padded, rest.size()));
  return taken;
}

template <typename T>
bool take_value(std::string_view& rest, T& value) {
  if (rest.size() < sizeof(value)) return false;
  std::memcpy(&value, rest.data(), sizeof(value));
  rest.remove_prefix(sizeof(value));
  return true;
}

bool take_text(std::string_view& rest, std::string_view& text) {
  const size_t end = rest.find('\0');
  if (end == std::string_view::npos) return false;
  text = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return true;
}

std::optional<UsdtNote> parse_description(std::string_view rest) {
  UsdtNote note;
  const bool whole = take_value(rest, note.address) && take_value(rest, note.base) &&
                     take_value(rest, note.semaphore) && take_text(rest, note.provider) && take_text(rest, note.name);
  take_text(rest, note.arguments);
  return whole ? std::optional(note) : std::nullopt;
}

}  // namespace

Result<std::vector<UsdtNote>> parse_usdt_notes(std::string_view section) {
  std::vector<UsdtNote> notes;
  Elf64_Nhdr header{};
  while (!section.empty()) {
    const bool has_header = take_value(section, header);
    const auto owner = has_header ? take(section, header.n_namesz) : std::nullopt;
    const auto description = owner ? take(section, header.n_descsz) : std::nullopt;
    if (!description) return Error("USDT notes end within one");
    if (*owner != kOwner || header.n_type != kType) continue;
    const auto note = parse_description(*description);
    if (!note) return Error("USDT note ends before its names");
    notes.push_back(*note);
  }
  return notes;
}

}  // namespace manometer::probes
