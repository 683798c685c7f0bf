#pragma once

#include <memory>

#include "agent/base/result.h"
#include "agent/config.h"

namespace manometer {

/// The agent: everything that `manometer run` is made of, put together.
class App {
 public:
  /// An Error is one line for the user: a right that is missing, an address in use, a path that is wrong.
  static Result<std::unique_ptr<App>> make(const RunConfig& config);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// Until SIGTERM, SIGINT, or the end of standard input if so configured.
  void run();

 private:
  struct Parts;

  explicit App(std::unique_ptr<Parts> parts);

  void stop_on_signals();

  std::unique_ptr<Parts> parts_;
};

}  // namespace manometer
