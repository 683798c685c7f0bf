#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "agent/base/result.h"

namespace manometer::node {

/// Largest kernel file we read whole: /proc/<pid>/maps of a process with 400,000 mappings. Search engines and brokers
/// map tens of thousands of files.
inline constexpr size_t kMaxFileBytes = 64U << 20U;

/// The whole file below the open directory, nullopt if it (or its process, or its cgroup) is gone, an Error for
/// anything else (rights, too big). For files the kernel makes; container-owned files go through jvm/perf_region.
Result<std::optional<std::string>> read_file_at(int directory, const std::string& path,
                                                size_t max_bytes = kMaxFileBytes);

/// The same for a path of its own.
Result<std::optional<std::string>> read_file(const std::string& path);

/// Reads a file and hands it to parse; gone stays gone.
template <typename T>
Result<std::optional<T>> read_and_parse(int directory, const std::string& path, Result<T> (*parse)(std::string_view)) {
  auto text = read_file_at(directory, path);
  if (!text) return std::move(text).error();
  if (!*text) return std::optional<T>();
  Result<T> parsed = parse(**text);
  if (!parsed) return std::move(parsed).error().with_context(path);
  return std::optional<T>(*std::move(parsed));
}

/// True for errno values that mean "it was there and is gone", which is not an error.
bool is_gone(int number);

}  // namespace manometer::node
