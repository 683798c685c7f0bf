#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <sys/mman.h>

namespace manometer::test {

/// Memory of this process at a fixed address, with nothing mapped behind it.
class MappedMemory {
 public:
  MappedMemory(uint64_t address, size_t size) : size_(size) {
    void* const wanted = reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr): that is its purpose
    memory_ = ::mmap(wanted, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (memory_ != wanted) throw std::runtime_error("the address is taken");
  }
  ~MappedMemory() { ::munmap(memory_, size_); }
  MappedMemory(const MappedMemory&) = delete;
  MappedMemory& operator=(const MappedMemory&) = delete;

  void write(size_t offset, std::span<const std::byte> content) {
    if (offset + content.size() > size_) throw std::runtime_error("more than is mapped");
    std::ranges::copy(content, static_cast<std::byte*>(memory_) + offset);
  }

 private:
  void* memory_;
  size_t size_;
};

}  // namespace manometer::test
