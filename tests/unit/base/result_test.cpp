#include "agent/base/result.h"

#include <fcntl.h>
#include <memory>
#include <variant>

#include <gtest/gtest.h>

#include "agent/base/text.h"
#include "agent/base/unique_fd.h"

namespace manometer {
namespace {

TEST(ResultTest, HoldsAValue) {
  Result<std::string> result = std::string("value");
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(static_cast<bool>(result));
  EXPECT_EQ(*result, "value");
  EXPECT_EQ(result->size(), 5U);
  *result += 's';
  EXPECT_EQ(*std::move(result), "values");
}

TEST(ResultTest, GivesAwayWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

TEST(ResultTest, HoldsAnError) {
  const Result<int> result = Error("broken");
  EXPECT_FALSE(result.ok());
  EXPECT_FALSE(static_cast<bool>(result));
  EXPECT_EQ(result.error().message(), "broken");
  EXPECT_EQ(result.error().number(), 0);
}

TEST(ResultTest, TheWrongHalfIsNeverRead) {
  const Result<int> error = Error("broken");
  const Result<int> value = 1;
  EXPECT_THROW((void)*error, std::bad_variant_access);
  EXPECT_THROW((void)value.error(), std::bad_variant_access);
}

TEST(ResultTest, OfVoidIsFineOrAnError) {
  EXPECT_TRUE(Result<void>().ok());
  const Result<void> error = Error("broken");
  EXPECT_FALSE(error.ok());
  EXPECT_EQ(error.error().message(), "broken");
}

TEST(ErrorTest, TakesErrnoAtTheCall) {
  errno = EACCES;
  const Error error = Error::from_errno("open x");
  errno = ENOENT;
  EXPECT_EQ(error.number(), EACCES);
  EXPECT_EQ(error.message(), "open x: Permission denied");
}

TEST(ErrorTest, HasTheOutermostContextFirst) {
  EXPECT_EQ(Error("c").with_context("b").with_context("a").message(), "a: b: c");
}

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

UniqueFd open_null() {
  return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

TEST(UniqueFdTest, ClosesItsDescriptorOnce) {
  int number = -1;
  {
    const UniqueFd fd = open_null();
    number = fd.get();
    EXPECT_TRUE(fd);
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
  EXPECT_FALSE(UniqueFd());
}

TEST(UniqueFdTest, MovesItsDescriptor) {
  UniqueFd first = open_null();
  const int number = first.get();
  UniqueFd second = open_null();
  const int replaced = second.get();
  second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that is the question
  EXPECT_EQ(second.get(), number);
  EXPECT_FALSE(is_open(replaced));
  const UniqueFd third(std::move(second));
  EXPECT_TRUE(is_open(number));
}

TEST(UniqueFdTest, SurvivesBeingMovedToItself) {
  UniqueFd fd = open_null();
  UniqueFd& same = fd;
  fd = std::move(same);
  EXPECT_TRUE(is_open(fd.get()));
}

TEST(UniqueFdTest, LetsGoOfWhatIsReleased) {
  UniqueFd fd = open_null();
  const UniqueFd released(fd.release());
  EXPECT_FALSE(fd);
  EXPECT_TRUE(is_open(released.get()));
}

TEST(TakeUntil, TakesTheSeparatorOffToo) {
  std::string_view rest = "a::b";
  EXPECT_EQ(take_until(rest, ':'), "a");
  EXPECT_EQ(take_until(rest, ':'), "");
  EXPECT_EQ(take_until(rest, ':'), "b");
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(take_until(rest, ':'), "");
}

TEST(ParseNumber, TakesTheWholeTextOnly) {
  int value = 0;
  EXPECT_TRUE(parse_number("-42", value));
  EXPECT_EQ(value, -42);
  for (const char* text : {"", " 1", "1 ", "+1", "1x", "0x1", "2147483648", "1.0"})
    EXPECT_FALSE(parse_number(text, value)) << text;
  unsigned number = 0;
  EXPECT_FALSE(parse_number("-1", number));
  EXPECT_TRUE(parse_number("ff", number, 16));
  EXPECT_EQ(number, 255U);
}

TEST(ParseNumber, TakesFractions) {
  double value = 0;
  EXPECT_TRUE(parse_number("1.5e3", value));
  EXPECT_EQ(value, 1500);
  EXPECT_FALSE(parse_number("1.5 ", value));
  EXPECT_FALSE(parse_number("", value));
}

}  // namespace
}  // namespace manometer
