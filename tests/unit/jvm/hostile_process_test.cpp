// Processes whose files in /proc are garbage or vanish one by one, and JVMs whose data are broken: each has a reason,
// and none gets a number.

#include <filesystem>
#include <fstream>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/jvm/inspect.h"
#include "agent/node/read_file.h"
#include "tests/support/broken_perf_data.h"
#include "tests/support/fake_node.h"
#include "tests/support/look.h"
#include "tests/support/perf_data.h"

namespace manometer::jvm {
namespace {

namespace fs = std::filesystem;
using test::describe;
using test::look;
using test::look_without_rights;
using testing::StartsWith;

constexpr pid_t kPid = 42;
constexpr const char* kLibjvm = "10000000-10400000 r--p 00000000 08:01 77 /usr/lib/libjvm.so\n";

/// Two entries, like the broken ones.
std::vector<std::byte> good_data(size_t size = 32768) {
  return test::perf_data().add_long("sun.os.hrt.frequency", 1'000'000'000).add_long("java.threads.live", 7).build(size);
}

class HostileProcess : public testing::Test {
 protected:
  HostileProcess() { node_.add_jvm({.pid = kPid}, good_data()); }

  /// Content of a file below its /proc directory.
  void put(const std::string& file, std::string_view content) {
    node_.write("proc/" + std::to_string(kPid) + "/" + file, content);
  }

  /// Changes the bytes of the very file that is mapped.
  void overwrite(const std::vector<std::byte>& bytes) {
    std::ofstream(node_.perf_file(kPid), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }

  test::FakeNode node_;
};

/// Content that the kernel never writes.
struct Garbage {
  const char* name;
  const char* file;
  std::string content;
  const char* answer;
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const Garbage& garbage, std::ostream* out) {
  *out << garbage.name;
}

class GarbageInProc : public HostileProcess, public testing::WithParamInterface<Garbage> {};

TEST_P(GarbageInProc, IsRefusedByTheNameOfItsFile) {
  put(GetParam().file, GetParam().content);
  EXPECT_THAT(look(node_, kPid), StartsWith(GetParam().answer));
}

std::vector<Garbage> garbage() {
  const std::string noise("\x00\xff\x1b[2J\n\n:)", 10);
  const std::string libjvm = kLibjvm;
  return {
      {"StatEmpty", "stat", "", "unsafe: stat: malformed stat"},
      {"StatNoise", "stat", noise, "unsafe: stat: malformed stat"},
      {"StatNegative", "stat", "42 (java) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 -20 0 100 0\n",
       "unsafe: stat: malformed stat"},
      {"StatusEmpty", "status", "", "unsafe: status: no NSpid line"},
      {"StatusNoise", "status", noise, "unsafe: status: no NSpid line"},
      {"StatusWords", "status", "Name:\tjava\nNSpid:\tone\n", "unsafe: status: malformed NSpid line"},
      {"StatusTooLarge", "status", "Name:\tjava\nNSpid:\t99999999999\n", "unsafe: status: malformed NSpid line"},
      {"CgroupNoise", "cgroup", noise, "unsafe: cgroup: malformed line without a path"},
      {"CgroupWithoutPath", "cgroup", "0::\n", "unsafe: cgroup: malformed line without a path"},
      {"MapsNoise", "maps", noise, "unsafe: maps: malformed line"},
      {"MapsCut", "maps", libjvm.substr(0, 30), "unsafe: maps: malformed line"},
      {"MapsAddressTooLarge", "maps", "10000000000000000-1 r--p 0 08:01 77 /libjvm.so\n",
       "unsafe: maps: malformed line"},
      {"MapsNegativeInode", "maps", "1000-2000 r--p 0 08:01 -1 /libjvm.so\n", "unsafe: maps: malformed line"},
      {"MapsBrokenAfterLibjvm", "maps", libjvm + "x\n", "unsafe: maps: malformed line 'x'"},
  };
}

INSTANTIATE_TEST_SUITE_P(All, GarbageInProc, testing::ValuesIn(garbage()),
                         [](const auto& test) { return test.param.name; });

TEST_F(HostileProcess, EndlessMapsAreUnsafe) {
  fs::resize_file(node_.process(kPid) / "maps", node::kMaxFileBytes + 1);
  EXPECT_EQ(look(node_, kPid), "unsafe: read maps: larger than 67108864 bytes");
}

TEST_F(HostileProcess, WithoutLibjvmIsNoJvm) {
  for (const char* maps : {"", "10000000-10400000 r--p 00000000 08:01 77 /usr/lib/libc.so.6\n",
                           "10000000-10400000 r--p 00001000 08:01 77 /usr/lib/libjvm.so\n",
                           "10000000-10400000 r--p 00000000 08:01 77 /usr/lib/notlibjvm.so\n",
                           "10000000-10400000 r--p 00000000 08:01 77 /usr/lib/libjvm.so.debug\n"}) {
    put("maps", maps);
    EXPECT_EQ(look(node_, kPid), "not a JVM") << maps;
  }
}

TEST_F(HostileProcess, LibjvmThatWasReplacedIsStillLibjvm) {
  std::vector<node::Mapping> maps = *node::parse_maps("1000-2000 r--p 00000000 08:01 77 /x/libjvm.so (deleted)\n");
  EXPECT_EQ(find_libjvm(maps), maps.data());
}

TEST_F(HostileProcess, ZombieIsGone) {
  put("stat", "42 (java) Z 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0\n");
  EXPECT_EQ(look(node_, kPid), "gone");
}

/// The process ends while it is looked at: what is read from one file on is not there any more.
class VanishingProcess : public HostileProcess, public testing::WithParamInterface<const char*> {};

TEST_P(VanishingProcess, IsGone) {
  fs::remove_all(node_.process(kPid) / GetParam());
  EXPECT_EQ(look(node_, kPid), "gone");
}

INSTANTIATE_TEST_SUITE_P(All, VanishingProcess, testing::Values("", "stat", "maps", "status", "cgroup", "map_files"),
                         [](const auto& test) {
                           const std::string name = test.param;
                           return name.empty() ? "Directory" : name == "map_files" ? "Links" : name;
                         });

TEST_F(HostileProcess, RootThatIsGoneIsSaidWhereThePathIsNeeded) {
  fs::remove_all(node_.root(kPid));
  EXPECT_EQ(look(node_, kPid), "threads 7");
  EXPECT_THAT(look_without_rights(node_, kPid), StartsWith("unsafe: open performance data: No such file"));
}

/// Files that a JVM maps and that are not its performance data.
TEST_F(HostileProcess, OnlyASharedMappingOfAFilesStartIsTaken) {
  for (const char* mapping : {"20000000-20008000 rw-p 00000000 08:01 5 /tmp/hsperfdata_app/1\n",
                              "20000000-20008000 rw-s 00001000 08:01 5 /tmp/hsperfdata_app/1\n",
                              "20000000-20008000 rw-s 00000000 00:00 0 /tmp/hsperfdata_app/1\n",
                              "20000000-20008000 rw-s 00000000 08:01 5 /tmp/hsperfdata\n"}) {
    put("maps", std::string(kLibjvm) + mapping);
    put("map_files/20000000-20008000", "decoy");
    EXPECT_EQ(look(node_, kPid), "unsafe: libjvm is not an ELF library that we can read") << mapping;
  }
}

class BrokenData : public HostileProcess, public testing::WithParamInterface<test::BrokenPerfData> {};

TEST_P(BrokenData, IsMalformedFromTheFirstRead) {
  overwrite(GetParam().region);
  const std::string words = look(node_, kPid);
  EXPECT_THAT(words, StartsWith("malformed: "));
  EXPECT_THAT(words, testing::EndsWith(GetParam().message));
}

/// Once the layout is known, the entries are not parsed again as long as there are as many: of what breaks then, only
/// what is wrong with the header or the size is seen, and values are read where they were.
TEST_P(BrokenData, IsNotReadFurtherThanItWasResolved) {
  const auto inspection = inspect(*node::ProcFs::open(node_.proc()), kPid);
  PerfReader reader(std::get<FoundJvm>(inspection).process);
  ASSERT_EQ(describe(reader.read(TimePoint())), "threads 7");
  overwrite(GetParam().region);
  const auto header = parse_perf_header(GetParam().region);
  const bool is_seen = !header || header->entries != 2 || GetParam().region.size() < good_data(0).size();
  EXPECT_THAT(describe(reader.read(TimePoint())), StartsWith(is_seen ? "malformed: " : "threads "));
  overwrite(good_data());
  EXPECT_EQ(describe(reader.read(TimePoint())), "threads 7");
}

INSTANTIATE_TEST_SUITE_P(All, BrokenData, testing::ValuesIn(test::broken_perf_data()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace manometer::jvm
