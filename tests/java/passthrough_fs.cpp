// A FUSE that shows the files of one directory in another. Arguments: the directory with the files, the one to show
// them in. It says when it is mounted; stopped (SIGSTOP), it is a file system that no longer answers.

#define FUSE_USE_VERSION 31

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fuse.h>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace {

std::string backing_directory;

std::string backing(const char* path) {
  return backing_directory + path;
}

int done(ssize_t result) {
  return result < 0 ? -errno : static_cast<int>(result);
}

int descriptor(const fuse_file_info* file) {
  return static_cast<int>(file->fh);
}

int keep(int fd, fuse_file_info* file) {
  if (fd < 0) return -errno;
  file->fh = static_cast<uint64_t>(fd);
  return 0;
}

void* say_mounted(fuse_conn_info* /*connection*/, fuse_config* /*config*/) {
  std::puts("mounted");
  std::fflush(stdout);
  return nullptr;
}

int list(const char* path, void* out, fuse_fill_dir_t add, off_t /*offset*/, fuse_file_info* /*file*/,
         fuse_readdir_flags /*flags*/) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(backing(path), error))
    add(out, entry.path().filename().c_str(), nullptr, 0, {});
  return -error.value();
}

fuse_operations operations() {
  fuse_operations to{};
  to.init = say_mounted;
  to.readdir = list;
  to.getattr = [](const char* path, struct stat* out, fuse_file_info*) {
    return done(::lstat(backing(path).c_str(), out));
  };
  to.mkdir = [](const char* path, mode_t mode) { return done(::mkdir(backing(path).c_str(), mode)); };
  to.unlink = [](const char* path) { return done(::unlink(backing(path).c_str())); };
  to.chmod = [](const char* path, mode_t mode, fuse_file_info*) { return done(::chmod(backing(path).c_str(), mode)); };
  to.truncate = [](const char* path, off_t bytes, fuse_file_info*) {
    return done(::truncate(backing(path).c_str(), bytes));
  };
  to.create = [](const char* path, mode_t mode, fuse_file_info* file) {
    return keep(::open(backing(path).c_str(), file->flags | O_CREAT | O_CLOEXEC, mode), file);
  };
  to.open = [](const char* path, fuse_file_info* file) {
    return keep(::open(backing(path).c_str(), file->flags | O_CLOEXEC), file);
  };
  to.read = [](const char*, char* out, size_t bytes, off_t offset, fuse_file_info* file) {
    return done(::pread(descriptor(file), out, bytes, offset));
  };
  to.write = [](const char*, const char* in, size_t bytes, off_t offset, fuse_file_info* file) {
    return done(::pwrite(descriptor(file), in, bytes, offset));
  };
  to.release = [](const char*, fuse_file_info* file) { return done(::close(descriptor(file))); };
  return to;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  backing_directory = argv[1];
  std::string foreground = "-f";
  std::string one_thread = "-s";
  char* arguments[] = {argv[0], foreground.data(), one_thread.data(), argv[2], nullptr};
  const fuse_operations to = operations();
  return fuse_main(4, arguments, &to, nullptr);
}
