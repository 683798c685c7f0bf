// A process that the kernel shows as a JVM: it maps a file named libjvm.so and performance data, and has a second
// thread. Arguments: the two files. It says when it is done, and ends with its standard input.

#include <cstdio>
#include <fcntl.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

namespace {

bool map(const char* path, int flags) {
  constexpr size_t kBytes = 4096;
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  const bool mapped = fd >= 0 && ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, flags, fd, 0) != MAP_FAILED;
  ::close(fd);
  return mapped;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || !map(argv[1], MAP_PRIVATE) || !map(argv[2], MAP_SHARED)) return 1;
  std::thread([] { ::pause(); }).detach();
  std::puts("mapped");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}
