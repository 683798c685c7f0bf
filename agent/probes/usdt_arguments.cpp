#include "agent/probes/usdt_arguments.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <sys/user.h>

#include "agent/base/text.h"

namespace manometer::probes {
namespace {

constexpr size_t kWord = 8;

// In the order of the kernel's pt_regs. "" is what it has between them, which is none of a program's own.
constexpr auto kX86Registers = std::to_array<std::string_view>({
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8",
    "rax", "rcx", "rdx", "rsi", "rdi", "",    "",    "",    "",   "rsp",
});
#if defined(__x86_64__)
static_assert(offsetof(user_regs_struct, rax) == 10 * kWord && offsetof(user_regs_struct, rsp) == 19 * kWord);
#elif defined(__aarch64__)
static_assert(offsetof(user_regs_struct, sp) == 31 * kWord);
#endif

std::optional<uint16_t> x86_register(std::string_view name) {
  const auto found = std::ranges::find(kX86Registers, name);
  if (name.empty() || found == kX86Registers.end()) return std::nullopt;
  return static_cast<uint16_t>(static_cast<size_t>(found - kX86Registers.begin()) * kWord);
}

/// x0 to x30, then the stack's.
std::optional<uint16_t> arm_register(std::string_view name) {
  constexpr uint16_t kStack = 31;
  if (name == "sp") return static_cast<uint16_t>(kStack * kWord);
  uint16_t number = 0;
  if (!name.starts_with('x') || !parse_number(name.substr(1), number) || number >= kStack) return std::nullopt;
  return static_cast<uint16_t>(number * kWord);
}

std::optional<gc_argument> at(std::optional<uint16_t> register_offset, int64_t number, bool in_memory) {
  if (!register_offset) return std::nullopt;
  gc_argument argument{};
  argument.has_register = 1;
  argument.register_offset = *register_offset;
  argument.number = number;
  argument.in_memory = in_memory ? 1 : 0;
  return argument;
}

std::optional<gc_argument> constant(std::string_view text) {
  gc_argument argument{};
  return parse_number(text, argument.number) ? std::optional(argument) : std::nullopt;
}

/// "%rax", "-120(%rbp)", "(%rbp)" or "$5".
std::optional<gc_argument> parse_x86(std::string_view place) {
  if (place.starts_with('$')) return constant(place.substr(1));
  if (place.starts_with('%')) return at(x86_register(place.substr(1)), 0, false);
  const std::string_view displacement = take_until(place, '(');
  int64_t number = 0;
  if (!displacement.empty() && !parse_number(displacement, number)) return std::nullopt;
  if (!place.starts_with('%') || !place.ends_with(')')) return std::nullopt;
  return at(x86_register(place.substr(1, place.size() - 2)), number, true);
}

/// "x0", "[sp, 16]", "[sp]" or "5".
std::optional<gc_argument> parse_arm(std::string_view place) {
  if (const auto number = constant(place)) return number;
  if (!place.starts_with('[')) return at(arm_register(place), 0, false);
  if (!place.ends_with(']')) return std::nullopt;
  place = place.substr(1, place.size() - 2);
  const std::string_view name = take_until(place, ',');
  if (place.starts_with(' ')) place.remove_prefix(1);
  int64_t number = 0;
  if (!place.empty() && !parse_number(place, number)) return std::nullopt;
  return at(arm_register(name), number, true);
}

Result<gc_argument> parse_argument(std::string_view text, Machine machine) {
  constexpr size_t kShown = 40;
  std::string_view place = text;
  const std::string_view size = take_until(place, '@');
  const auto argument = machine == Machine::kX86 ? parse_x86(place) : parse_arm(place);
  const bool fits = size == "8" || size == "-8" || (argument && argument->has_register == 0);
  if (argument && fits) return *argument;
  return Error("an argument in a place that is not read, " + std::string(text.substr(0, kShown)));
}

/// Takes one off the front of rest, with the space behind it. There are others within brackets.
std::string_view take_argument(std::string_view& rest) {
  const size_t bracket = rest.find_first_of("[ ");
  const bool has_bracket = bracket != std::string_view::npos && rest[bracket] == '[';
  const size_t end = rest.find(' ', has_bracket ? rest.find(']', bracket) : 0);
  const std::string_view argument = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return argument;
}

bool is_same(const gc_argument& one, const gc_argument& other) {
  return std::memcmp(&one, &other, sizeof(one)) == 0;
}

}  // namespace

Result<std::vector<gc_argument>> parse_usdt_arguments(std::string_view text, Machine machine) {
  constexpr size_t kMost = 12;
  std::vector<gc_argument> arguments;
  while (!text.empty()) {
    if (arguments.size() == kMost) return Error("more than " + std::to_string(kMost) + " arguments");
    const auto argument = parse_argument(take_argument(text), machine);
    if (!argument) return argument.error();
    arguments.push_back(*argument);
  }
  return arguments;
}

Result<std::vector<gc_argument>> arguments_of(const std::vector<UsdtNote>& notes, std::string_view provider,
                                              std::string_view name, size_t count) {
  std::vector<gc_argument> common;
  for (const UsdtNote& note : notes) {
    if (note.provider != provider || note.name != name) continue;
    auto arguments = parse_usdt_arguments(note.arguments);
    if (!arguments) return arguments;
    if (arguments->size() != count) return Error("not " + std::to_string(count) + " arguments");
    if (!common.empty() && !std::ranges::equal(common, *arguments, is_same))
      return Error("places with different arguments");
    common = *std::move(arguments);
  }
  return common;
}

}  // namespace manometer::probes
