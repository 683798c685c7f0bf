// The parsers and readers that are too small for a file of their own.

#include <csignal>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "agent/node/capabilities.h"
#include "agent/node/flat_keyed.h"
#include "agent/node/process_memory.h"
#include "agent/node/psi.h"
#include "agent/node/read_file.h"
#include "tests/support/temp_dir.h"

namespace manometer::node {
namespace {

TEST(FlatKeyed, FindsKeysAndMissesOthers) {
  const auto file = parse_flat_keyed("anon 12\nfile 0\n");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->get("anon"), 12U);
  EXPECT_EQ(file->get("file"), 0U);
  EXPECT_FALSE(file->get("an"));
  EXPECT_TRUE(parse_flat_keyed("").ok());
}

TEST(FlatKeyed, RefusesWhatIsNoNumber) {
  EXPECT_FALSE(parse_flat_keyed("anon\n").ok());
  EXPECT_FALSE(parse_flat_keyed("anon 1 2\n").ok());
  EXPECT_FALSE(parse_flat_keyed("anon -1\n").ok());
  EXPECT_FALSE(parse_flat_keyed("anon 99999999999999999999\n").ok());
}

TEST(Psi, RefusesWhatIsCutShort) {
  EXPECT_FALSE(parse_psi("").ok());
  EXPECT_FALSE(parse_psi("some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n").ok());
  EXPECT_FALSE(parse_psi("full avg10=0 total=5\nsome avg10=0 total=5\n").ok()) << "in the wrong order";
  EXPECT_FALSE(parse_psi("some avg10=0 total=\nfull avg10=0 total=5\n").ok());
}

TEST(Capabilities, AreReadFromTheMask) {
  EXPECT_EQ(*parse_effective_capabilities("Name:\tx\nCapEff:\t0000000000080000\nCapBnd:\t0\n"), 1U << 19U);
  EXPECT_FALSE(parse_effective_capabilities("Name:\tx\n").ok());
  EXPECT_FALSE(parse_effective_capabilities("Name:\tx\nCapEff:\tnone\n").ok());
  EXPECT_TRUE(has_capability(Capability::kSysPtrace).ok());
}

TEST(ReadFile, ReadsAllOfALargeFile) {
  const test::TempDir dir;
  dir.write("large", std::string(100'000, 'x'));
  const auto text = read_file(dir.path() / "large");
  ASSERT_TRUE(text.ok());
  EXPECT_EQ((*text)->size(), 100'000U);
}

TEST(ReadFile, StopsAtTheLimit) {
  const test::TempDir dir;
  dir.write("large", std::string(100'000, 'x'));
  EXPECT_FALSE(read_file_at(AT_FDCWD, dir.path() / "large", 50'000).ok());
}

TEST(ReadFile, GoneIsNotAnErrorAndADirectoryIs) {
  const test::TempDir dir;
  EXPECT_FALSE(read_file(dir.path() / "none")->has_value());
  EXPECT_FALSE(read_file(dir.path()).ok());
}

TEST(ProcessMemoryTest, ReadsValuesAndStrings) {
  const auto process = ProcFs::open("/proc")->process(::getpid());
  const auto memory = ProcessMemory::open(**process);
  ASSERT_TRUE(memory.ok() && memory->has_value());
  const uint64_t value = 0x123456789;
  EXPECT_EQ(*(*memory)->read<uint64_t>(reinterpret_cast<uint64_t>(&value)), value);
  const std::string text(500, 'y');
  const auto at = reinterpret_cast<uint64_t>(text.c_str());
  EXPECT_EQ(*(*memory)->read_string(at, 1000), text);
  EXPECT_EQ(*(*memory)->read_string(at, 10), std::string(10, 'y'));
}

TEST(ProcessMemoryTest, AStringMayEndAtTheEndOfWhatIsMapped) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  char* const pages =
      static_cast<char*>(::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ::munmap(pages + page, page);
  char* const text = pages + page - 4;
  std::copy_n("end", 4, text);
  const auto memory = ProcessMemory::open(**ProcFs::open("/proc")->process(::getpid()));
  EXPECT_EQ(*(*memory)->read_string(reinterpret_cast<uint64_t>(text), 100), "end");
  ::munmap(pages, page);
}

TEST(ProcessMemoryTest, AddressesThatAreNotMappedAreErrors) {
  const auto memory = ProcessMemory::open(**ProcFs::open("/proc")->process(::getpid()));
  EXPECT_FALSE((*memory)->read<uint64_t>(8).ok());
  EXPECT_FALSE((*memory)->read<uint64_t>(UINT64_MAX - 3).ok());
}

TEST(ProcessMemoryTest, OfAProcessThatEndedReadsNothing) {
  const int value = 5;
  const pid_t child = ::fork();
  if (child == 0) ::pause();
  const auto memory = ProcessMemory::open(**ProcFs::open("/proc")->process(child));
  ASSERT_TRUE(memory.ok() && memory->has_value());
  EXPECT_EQ(*(*memory)->read<int>(reinterpret_cast<uint64_t>(&value)), 5);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const auto read = (*memory)->read<int>(reinterpret_cast<uint64_t>(&value));
  ASSERT_FALSE(read.ok());
  EXPECT_TRUE(is_gone(read.error().number())) << read.error().message();
}

}  // namespace
}  // namespace manometer::node
