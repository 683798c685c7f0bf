#include "agent/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>

namespace manometer {
namespace {
constexpr size_t kMaxCauses = 1000;
}

void set_up_log(std::string_view level) {
  auto logger = spdlog::stderr_logger_st("manometer");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  logger->set_level(spdlog::level::from_str(std::string(level)));
  spdlog::set_default_logger(std::move(logger));
}

void LogOnce::warn(const std::string& cause, std::string_view message) {
  if (seen_.size() >= kMaxCauses || !seen_.insert(cause).second) return;
  spdlog::warn("{} (said once)", message);
  if (seen_.size() == kMaxCauses)
    spdlog::warn("{} different causes logged, further new ones are only counted", kMaxCauses);
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\') {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", byte);
    }
  }
  return out;
}

}  // namespace manometer
