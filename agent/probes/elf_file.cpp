#include "agent/probes/elf_file.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace manometer::probes {
namespace {

// JDK 25 has 34 sections and 10 segments, 400 bytes of names of sections, and 50 KB of notes.
constexpr size_t kMaxHeaders = 1024;
constexpr uint64_t kMaxSectionBytes = 1 << 20;

/// The name of a section, or as much of it as tells it from ours.
std::string_view name_at(std::string_view names, size_t offset) {
  constexpr size_t kLongest = 64;
  if (offset >= names.size()) return {};
  const std::string_view rest = names.substr(offset, kLongest);
  return rest.substr(0, rest.find('\0'));
}

}  // namespace

Result<void> ElfFile::fill(std::span<std::byte> part, uint64_t offset) const {
  size_t used = 0;
  while (used < part.size()) {
    const ssize_t n = ::pread(file_, &part[used], part.size() - used, static_cast<off_t>(offset + used));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::from_errno("read libjvm.so");
    if (n == 0) return Error("libjvm.so: ends before what it says it has");
    used += static_cast<size_t>(n);
  }
  return {};
}

Result<Elf64_Ehdr> ElfFile::read_header() const {
  constexpr auto kOrder = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
  const auto part = read<Elf64_Ehdr>(0, 1);
  if (!part) return part.error();
  const Elf64_Ehdr& header = part->front();
  const auto* const ident = static_cast<const unsigned char*>(header.e_ident);
  if (std::memcmp(ident, ELFMAG, SELFMAG) != 0 || ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != kOrder)
    return Error("libjvm.so: not an ELF file for 64 bits");
  if (header.e_shnum > kMaxHeaders || header.e_phnum > kMaxHeaders) return Error("libjvm.so: too many headers");
  if ((header.e_shnum > 0 && header.e_shentsize != sizeof(Elf64_Shdr)) ||
      (header.e_phnum > 0 && header.e_phentsize != sizeof(Elf64_Phdr)))
    return Error("libjvm.so: headers of a wrong size");
  return header;
}

Result<ElfFile> ElfFile::open(int file) {
  ElfFile opened(file);
  const auto header = opened.read_header();
  if (!header) return header.error();
  auto sections = opened.read<Elf64_Shdr>(header->e_shoff, header->e_shnum);
  if (!sections) return sections.error();
  opened.sections_ = *std::move(sections);
  auto segments = opened.read<Elf64_Phdr>(header->e_phoff, header->e_phnum);
  if (!segments) return segments.error();
  opened.segments_ = *std::move(segments);
  if (header->e_shstrndx >= opened.sections_.size()) return opened;
  auto names = opened.read_section(opened.sections_[header->e_shstrndx]);
  if (!names) return names.error();
  opened.section_names_ = *std::move(names);
  return opened;
}

const Elf64_Shdr* ElfFile::section(std::string_view name) const {
  const std::string_view names(section_names_.data(), section_names_.size());
  const auto found = std::ranges::find_if(
      sections_, [&](const Elf64_Shdr& section) { return name_at(names, section.sh_name) == name; });
  return found == sections_.end() ? nullptr : &*found;
}

Result<std::vector<char>> ElfFile::read_section(const Elf64_Shdr& section) const {
  if (section.sh_type == SHT_NOBITS || section.sh_size > kMaxSectionBytes)
    return Error("libjvm.so: names or notes of more than " + std::to_string(kMaxSectionBytes >> 20) + " MiB");
  return read<char>(section.sh_offset, section.sh_size);
}

std::optional<uint64_t> ElfFile::file_offset(uint64_t address) const {
  const auto found = std::ranges::find_if(segments_, [&](const Elf64_Phdr& segment) {
    const bool is_code = segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0;
    return is_code && address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz;
  });
  if (found == segments_.end()) return std::nullopt;
  return address - found->p_vaddr + found->p_offset;
}

Result<std::string> ElfFile::text_at(const Elf64_Shdr& names, uint64_t offset, size_t most) const {
  std::string text(offset < names.sh_size ? std::min<uint64_t>(names.sh_size - offset, most) : 0, '\0');
  const ssize_t n = ::pread(file_, text.data(), text.size(), static_cast<off_t>(names.sh_offset + offset));
  if (n < 0) return Error::from_errno("read libjvm.so");
  text.resize(std::min(static_cast<size_t>(n), text.find('\0')));
  return text;
}

}  // namespace manometer::probes
