#include "agent/probes/usdt_arguments.h"

#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace manometer::test {
namespace {

using namespace probes;  // NOLINT(google-build-using-namespace): what is tested
using testing::ElementsAre;
using testing::HasSubstr;

/// One short word for each argument: "r80", "m32-120", "c5".
std::vector<std::string> words(std::string_view text, Machine machine = Machine::kX86) {
  const auto arguments = parse_usdt_arguments(text, machine);
  if (!arguments) return {arguments.error().message()};
  std::vector<std::string> out;
  for (const gc_argument& one : *arguments) {
    if (one.has_register == 0) {
      out.push_back(fmt::format("c{}", one.number));
    } else if (one.in_memory == 0) {
      out.push_back(fmt::format("r{}", one.register_offset));
    } else {
      out.push_back(fmt::format("m{}{:+}", one.register_offset, one.number));
    }
  }
  return out;
}

/// Debian's 17, Temurin's 25 and 21, and those that PyPI has.
TEST(UsdtArguments, OfTheJdksAreRegistersAndWordsOfTheStack) {
  EXPECT_THAT(words("8@%rbx 8@%r13 8@%r12 8@%rax 8@%rsi 8@-120(%rbp) 8@%rdx 8@-128(%rbp)"),
              ElementsAre("r40", "r16", "r24", "r80", "r104", "m32-120", "r96", "m32-128"));
  EXPECT_THAT(words("8@%r10 8@-120(%rbp) 8@%r13 8@%rax 8@%r9 8@%r8 8@%rsi 8@%r15"),
              ElementsAre("r56", "m32-120", "r16", "r80", "r64", "r72", "r104", "r0"));
  EXPECT_THAT(words("8@%r15 8@%r12 8@%r13 8@%rax 8@%rdi 8@%r8 8@%r9 8@%r10"),
              ElementsAre("r0", "r24", "r16", "r80", "r112", "r72", "r64", "r56"));
  EXPECT_THAT(words("8@%rbx 8@%r13 8@%r14 8@%rax 8@%rcx 8@%rsi 8@%rdi 8@%r8"),
              ElementsAre("r40", "r16", "r8", "r80", "r88", "r104", "r112", "r72"));
}

TEST(UsdtArguments, CanBeOnTheStackAndConstant) {
  EXPECT_THAT(words("-8@16(%rsp) 8@(%rax) -4@$5 1@$-1"), ElementsAre("m152+16", "m80+0", "c5", "c-1"));
}

TEST(UsdtArguments, OfArmHaveSpacesInBrackets) {
  EXPECT_THAT(words("8@x0 -8@x30 8@[sp, 16] 8@[x19] 8@[sp, -8] -4@5", Machine::kArm),
              ElementsAre("r0", "r240", "m248+16", "m152+0", "m248-8", "c5"));
}

TEST(UsdtArguments, CanBeNone) {
  EXPECT_THAT(words(""), ElementsAre());
}

TEST(UsdtArguments, AreRefusedInOtherPlaces) {
  for (const char* text :
       {"8@buffer(%rip)", "8@(%rax,%rbx,8)", "8@%xmm0", "8@%", "8@8(%rbp", "8@8(rbp)", "8@()", "8@", "8", "@%rax",
        "4@%eax", "4@%rax", "8@%rip", "8@$", "8@$5x", "8@$99999999999999999999", "8@%rax  8@%rbx", " "})
    EXPECT_THAT(words(text), ElementsAre(HasSubstr("in a place that is not read"))) << text;
  for (const char* text : {"8@x31", "8@x", "4@w0", "8@[sp, 16", "8@[sp,, 16]", "8@[x0, x1]", "8@[]", "8@[sp, 16]!"})
    EXPECT_THAT(words(text, Machine::kArm), ElementsAre(HasSubstr("in a place that is not read"))) << text;
}

TEST(UsdtArguments, AreTwelveAtMost) {
  std::string text = "8@%rax";
  for (int i = 1; i < 12; ++i) text += " 8@%rax";
  EXPECT_EQ(words(text).size(), 12U);
  EXPECT_THAT(words(text + " 8@%rax"), ElementsAre(HasSubstr("more than 12")));
}

UsdtNote note(std::string_view arguments) {
  UsdtNote note;
  note.provider = "hotspot";
  note.name = "mem__pool__gc__end";
  note.arguments = arguments;
  return note;
}

Result<std::vector<gc_argument>> common(const std::vector<UsdtNote>& notes) {
  return arguments_of(notes, "hotspot", "mem__pool__gc__end", 2);
}

TEST(UsdtArguments, AreTheSameAtAllPlaces) {
  UsdtNote other = note("8@%rax");
  other.name = "gc__begin";
  const auto arguments = common({other, note("8@$1 8@$2"), note("8@$1 8@$2")});
  ASSERT_TRUE(arguments.ok()) << arguments.error().message();
  EXPECT_EQ(arguments->size(), 2U);
  EXPECT_FALSE(common({note("8@$1 8@$2"), note("8@$1 8@$3")}).ok());
  EXPECT_FALSE(common({note("8@$1")}).ok()) << "too few";
}

}  // namespace
}  // namespace manometer::test
