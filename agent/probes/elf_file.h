#pragma once

#include <cstddef>
#include <cstdint>
#include <elf.h>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"

namespace manometer::probes {

/// A libjvm's ELF file, which is hostile. Each part is read once, by its own bound, and then looked at: a library for
/// ELF trusts what the file says of its sizes, with which a sparse one would take all our memory.
class ElfFile {
 public:
  /// file: open for reading, as long as this lives. An Error: it is no ELF file for 64 bits, or not what it says it is.
  static Result<ElfFile> open(int file);

  const std::vector<Elf64_Shdr>& sections() const { return sections_; }
  /// nullptr: there is none of that name.
  const Elf64_Shdr* section(std::string_view name) const;
  /// An Error: it has more than a MiB, or nothing in the file.
  Result<std::vector<char>> read_section(const Elf64_Shdr& section) const;

  /// The file's offset of what is loaded there as code.
  std::optional<uint64_t> file_offset(uint64_t address) const;

  template <typename T>
  Result<std::vector<T>> read(uint64_t offset, size_t count) const {
    std::vector<T> part(count);
    const auto filled = fill(std::as_writable_bytes(std::span(part)), offset);
    if (!filled) return filled.error();
    return part;
  }
  /// The text at an offset of a section of names, up to its end or the section's, cut at so many bytes; empty if it is
  /// not in there.
  Result<std::string> text_at(const Elf64_Shdr& names, uint64_t offset, size_t most) const;

 private:
  explicit ElfFile(int file) : file_(file) {}

  Result<void> fill(std::span<std::byte> part, uint64_t offset) const;
  Result<Elf64_Ehdr> read_header() const;

  int file_;
  std::vector<Elf64_Shdr> sections_;
  std::vector<Elf64_Phdr> segments_;
  std::vector<char> section_names_;
};

}  // namespace manometer::probes
