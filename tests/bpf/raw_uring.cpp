#include "tests/bpf/raw_uring.h"

#include <cerrno>
#include <functional>
#include <liburing.h>

namespace manometer::test {
namespace {

/// One operation on a ring of its own.
int64_t run(const std::function<void(io_uring_sqe*)>& prepare) {
  io_uring ring{};
  constexpr unsigned kEntries = 4;
  int result = ::io_uring_queue_init(kEntries, &ring, 0);
  if (result == 0) {
    prepare(::io_uring_get_sqe(&ring));
    io_uring_cqe* done = nullptr;
    result = ::io_uring_submit_and_wait(&ring, 1);
    if (result >= 0) result = ::io_uring_wait_cqe(&ring, &done);
    if (result == 0) result = done->res;
    ::io_uring_queue_exit(&ring);
  }
  if (result >= 0) return result;
  errno = -result;
  return -1;
}

}  // namespace

int uring_try() {
  return static_cast<int>(run([](io_uring_sqe* entry) { ::io_uring_prep_nop(entry); }));
}

int64_t uring_recv(int socket, char* bytes, size_t size) {
  return run([=](io_uring_sqe* entry) { ::io_uring_prep_recv(entry, socket, bytes, size, 0); });
}

int64_t uring_send(int socket, const char* bytes, size_t size) {
  return run([=](io_uring_sqe* entry) { ::io_uring_prep_send(entry, socket, bytes, size, MSG_NOSIGNAL); });
}

}  // namespace manometer::test
