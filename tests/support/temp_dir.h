#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace manometer::test {

/// A directory of the test's own below $TMPDIR, gone with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// Writes a file, making the directories above it.
  void write(const std::filesystem::path& relative, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

}  // namespace manometer::test
