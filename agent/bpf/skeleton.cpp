#include "agent/bpf/skeleton.h"

#include <array>
#include <cstdarg>
#include <cstdio>

#include <bpf/libbpf.h>

#include "agent/base/log.h"

namespace manometer::bpf {

void set_up_libbpf_log() {
  ::libbpf_set_print([](libbpf_print_level level, const char* format, va_list arguments) {
    if (level == LIBBPF_DEBUG) return 0;
    std::array<char, 1024> text{};
    const int length = std::vsnprintf(text.data(), text.size(), format, arguments);
    spdlog::debug("{}", printable(text.data()));
    return length;
  });
}

}  // namespace manometer::bpf
