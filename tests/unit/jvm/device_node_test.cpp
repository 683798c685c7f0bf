// A device where a JVM's performance data should be. Only root can make one; a container with CAP_MKNOD can too.

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <gtest/gtest.h>

#include "tests/support/fake_node.h"
#include "tests/support/file_watch.h"
#include "tests/support/look.h"
#include "tests/support/perf_data.h"
#include "tests/support/skip.h"

namespace manometer::jvm {
namespace {

struct Device {
  const char* name;
  mode_t kind;
  dev_t number;
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const Device& device, std::ostream* out) {
  *out << device.name;
}

class DeviceNode : public testing::TestWithParam<Device> {};

TEST_P(DeviceNode, IsNotOpened) {
  constexpr pid_t kPid = 42;
  test::FakeNode node;
  node.add_jvm({.pid = kPid}, test::perf_data().add_long("java.threads.live", 7).build());
  const auto file = node.perf_file(kPid);
  std::filesystem::remove(file);
  if (::mknod(file.c_str(), GetParam().kind | 0600, GetParam().number) != 0)
    MANOMETER_SKIP(std::string("give root CAP_MKNOD here: mknod: ") + std::strerror(errno));
  std::filesystem::permissions(file, std::filesystem::perms(0666));
  test::FileWatch watch(file);
  EXPECT_EQ(test::look_without_rights(node, kPid), "unsafe: performance data: not a regular file");
  EXPECT_FALSE(watch.was_touched()) << "the opening of a device can do anything";
}

INSTANTIATE_TEST_SUITE_P(All, DeviceNode,
                         testing::Values(Device{"Zero", S_IFCHR, makedev(1, 5)}, Device{"Tty", S_IFCHR, makedev(5, 0)},
                                         Device{"NoSuchCharacterDevice", S_IFCHR, makedev(4000, 0)},
                                         Device{"NoSuchBlockDevice", S_IFBLK, makedev(4000, 0)}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace manometer::jvm
