#pragma once
// Recoverable errors are values: a function that can fail returns Result<T>, and whoever can do something about it
// does.

#include <cassert>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

namespace manometer {

/// What went wrong, in words for the person who reads the log. Context is added on the way up, outermost first.
class [[nodiscard]] Error {
 public:
  explicit Error(std::string message) : message_(std::move(message)) {}

  /// Takes errno at the call, e.g. `Error::from_errno("open /proc/1/maps")`.
  static Error from_errno(std::string_view what, int number = errno) {
    Error error(std::string(what) + ": " + std::generic_category().message(number));
    error.number_ = number;
    return error;
  }

  Error with_context(std::string_view context) && {
    message_ = std::string(context) + ": " + message_;
    return std::move(*this);
  }

  const std::string& message() const { return message_; }
  /// The errno behind the error, 0 if there is none.
  int number() const { return number_; }

 private:
  std::string message_;
  int number_ = 0;
};

/// A value or an Error. Reading the value of an Error is a programming mistake and asserts.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor): `return value;`
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor): `return Error(...);`

  bool ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return ok(); }

  T& operator*() & { return std::get<T>(state_); }
  const T& operator*() const& { return std::get<T>(state_); }
  T&& operator*() && { return std::get<T>(std::move(state_)); }
  T* operator->() { return &std::get<T>(state_); }
  const T* operator->() const { return &std::get<T>(state_); }

  const Error& error() const& { return std::get<Error>(state_); }
  Error&& error() && { return std::get<Error>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor): `return Error(...);`

  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }

  const Error& error() const& {
    assert(error_);
    return *error_;
  }
  Error&& error() && {
    assert(error_);
    return *std::move(error_);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace manometer
