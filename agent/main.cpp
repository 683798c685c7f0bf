#include <cstdio>
#include <exception>
#include <iostream>

#include "agent/app.h"
#include "agent/base/log.h"
#include "agent/cli/check.h"
#include "agent/cli/top.h"
#include "agent/config.h"

namespace manometer {
namespace {

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;  // the user has to change something

int fail(const Error& error) {
  std::cerr << "manometer: " << error.message() << '\n';
  return kUsage;
}

int execute(const RunConfig& config) {
  set_up_log(config.log_level);
  const auto app = App::make(config);
  if (!app) return fail(app.error());
  (*app)->run();
  return kOk;
}

int execute(const CheckConfig& config) {
  const auto sufficient = cli::check(config);
  if (!sufficient) return fail(sufficient.error());
  return *sufficient ? kOk : kUsage;
}

int execute(const PrintConfig& config) {
  std::cout << config.text;
  return kOk;
}

int execute(const TopConfig& config) {
  const auto shown = cli::top(config);
  return shown ? kOk : fail(shown.error());
}

}  // namespace
}  // namespace manometer

int main(int argc, char** argv) {
  try {
    const auto config = manometer::parse_config(argc, argv);
    if (!config) return manometer::fail(config.error());
    return std::visit([](const auto& chosen) { return manometer::execute(chosen); }, *config);
  } catch (const std::exception& error) {
    std::cerr << "manometer: " << error.what() << '\n';
    return manometer::kFailed;
  }
}
