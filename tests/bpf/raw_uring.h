#pragma once

#include <cstddef>
#include <cstdint>

namespace manometer::test {

/// 0 if there is io_uring; -1 with errno where the kernel lets nobody use it.
int uring_try();
/// recv() and send() by io_uring; -1 with errno if they fail.
int64_t uring_recv(int socket, char* bytes, size_t size);
int64_t uring_send(int socket, const char* bytes, size_t size);

}  // namespace manometer::test
