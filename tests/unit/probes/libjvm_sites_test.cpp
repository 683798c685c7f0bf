#include "agent/probes/libjvm_sites.h"

#include <array>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sys/resource.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/unique_fd.h"
#include "tests/support/child.h"
#include "tests/support/temp_dir.h"

namespace manometer::test {
namespace {

using probes::find_libjvm_sites;
using probes::LibjvmSites;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr size_t kCode = 8;  // bytes of a function to know it by

UniqueFd open_file(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

std::string read_whole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The beginning of a function as the loader put it into memory.
std::string code_of(const char* name) {
  const std::unique_ptr<void, int (*)(void*)> library(::dlopen(MANOMETER_FAKE_HOTSPOT, RTLD_NOW), ::dlclose);
  std::string code(kCode, '\0');
  std::memcpy(code.data(), ::dlsym(library.get(), name), kCode);
  return code;
}

Result<LibjvmSites> find_in(const std::string& bytes) {
  const TempDir directory;
  directory.write("libjvm.so", bytes);
  return find_libjvm_sites(open_file(directory.path() / "libjvm.so").get());
}

TEST(LibjvmSites, AreWhereTheFunctionsBegin) {
  const auto sites = find_libjvm_sites(open_file(MANOMETER_FAKE_HOTSPOT).get());
  ASSERT_TRUE(sites.ok()) << sites.error().message();
  ASSERT_EQ(sites->stall_begin.size(), 1U) << "without the part that was split off";
  ASSERT_EQ(sites->stall_end.size(), 1U);
  const std::string file = read_whole(MANOMETER_FAKE_HOTSPOT);
  EXPECT_EQ(file.substr(sites->stall_begin[0], kCode),
            code_of("_ZN14ZPageAllocator16alloc_page_stallEP15ZPageAllocation"));
  EXPECT_EQ(file.substr(sites->stall_end[0], kCode),
            code_of("_ZNK18ZStatCriticalPhase12register_endEP17ConcurrentGCTimerRK5TicksS4_"));
  EXPECT_TRUE(sites->tells_stalls_of_zgc());
}

TEST(LibjvmSites, OfFunctionsWithAnotherArgumentAreApart) {
  const auto sites = find_libjvm_sites(open_file(MANOMETER_FAKE_HOTSPOT).get());
  ASSERT_TRUE(sites.ok()) << sites.error().message();
  ASSERT_EQ(sites->block.size(), 1U);
  ASSERT_EQ(sites->block_if.size(), 1U);
  const std::string file = read_whole(MANOMETER_FAKE_HOTSPOT);
  EXPECT_EQ(file.substr(sites->block[0], kCode),
            code_of("_ZN23ShenandoahControlThread20handle_alloc_failureER22ShenandoahAllocRequest"));
  EXPECT_EQ(file.substr(sites->block_if[0], kCode),
            code_of("_ZN20ShenandoahController20handle_alloc_failureERK22ShenandoahAllocRequestb"));
  EXPECT_TRUE(sites->tells_stalls_of_shenandoah());
}

/// Those of a copy of the library that went through this command.
LibjvmSites find_after(std::vector<std::string> command) {
  const TempDir directory;
  const std::string copy = directory.path() / "libjvm.so";
  std::filesystem::copy(MANOMETER_FAKE_HOTSPOT, copy);
  command.push_back(copy);
  EXPECT_EQ(run(command).code, 0);
  const auto sites = find_libjvm_sites(open_file(copy).get());
  if (sites) return *sites;
  ADD_FAILURE() << sites.error().message();
  return {};
}

/// A thread that takes memory would pass for one that waits for it until it takes some again.
TEST(LibjvmSites, WhereAThreadMayWaitAreOfNoUseWithoutWhereItDidNot) {
  const LibjvmSites both = find_after({"objcopy"});
  ASSERT_EQ(both.may_stall.size(), 1U);
  ASSERT_EQ(both.no_stall.size(), 1U);
  const std::string file = read_whole(MANOMETER_FAKE_HOTSPOT);
  EXPECT_EQ(file.substr(both.may_stall[0], kCode),
            code_of("_ZN14ZPageAllocator19alloc_page_blockingEhm16ZAllocationFlags"));
  EXPECT_EQ(file.substr(both.no_stall[0], kCode), code_of("_ZN5ZPage5resetEv"));
  for (const char* name : {"_ZN14ZPageAllocator19alloc_page_blockingEhm16ZAllocationFlags", "_ZN5ZPage5resetEv"}) {
    const LibjvmSites one = find_after({"objcopy", std::string("--strip-symbol=") + name});
    EXPECT_THAT(one.may_stall, IsEmpty());
    EXPECT_THAT(one.no_stall, IsEmpty());
    EXPECT_TRUE(one.tells_stalls_of_zgc()) << "as where it begins to wait is known too";
  }
}

const std::vector<std::string> kWithoutUsdt{"objcopy", "--remove-section=.note.stapsdt"};

TEST(LibjvmSites, AreAtTheNopsOfUsdtProbes) {
  const auto sites = find_libjvm_sites(open_file(MANOMETER_FAKE_HOTSPOT).get());
  ASSERT_TRUE(sites.ok()) << sites.error().message();
  EXPECT_EQ(sites->pauses_by, "usdt");
  EXPECT_TRUE(sites->tells_pauses());
  const LibjvmSites functions = find_after(kWithoutUsdt);
  for (const auto places : {&LibjvmSites::safepoint_begin, &LibjvmSites::safepoint_end, &LibjvmSites::collects}) {
    constexpr uint64_t kPrologue = 64;
    const std::vector<uint64_t>& probe = *sites.*places;
    const std::vector<uint64_t>& function = functions.*places;
    ASSERT_EQ(probe.size(), 1U);
    ASSERT_EQ(function.size(), 1U);
    EXPECT_GE(probe[0], function[0]);
    EXPECT_LE(probe[0], function[0] + kPrologue);
  }
}

TEST(LibjvmSites, AreThoseOfFunctionsWithoutUsdt) {
  const LibjvmSites sites = find_after(kWithoutUsdt);
  EXPECT_EQ(sites.pauses_by, "symbols");
  ASSERT_EQ(sites.safepoint_begin.size(), 1U);
  EXPECT_EQ(read_whole(MANOMETER_FAKE_HOTSPOT).substr(sites.safepoint_begin[0], kCode),
            code_of("_ZN14RuntimeService22record_safepoint_beginEl"));
  EXPECT_TRUE(sites.tells_stalls_of_zgc());
}

TEST(LibjvmSites, OfUsdtNeedNoNames) {
  const LibjvmSites sites = find_after({"strip", "--strip-all"});
  EXPECT_EQ(sites.pauses_by, "usdt");
  EXPECT_TRUE(sites.tells_pauses());
  EXPECT_FALSE(sites.tells_stalls_of_zgc());
  EXPECT_FALSE(sites.tells_stalls_of_shenandoah());
}

TEST(LibjvmSites, OfUsdtAreNotTakenWhereThereIsNoNop) {
  const auto sites = find_libjvm_sites(open_file(MANOMETER_FAKE_HOTSPOT).get());
  ASSERT_TRUE(sites.ok());
  std::string bytes = read_whole(MANOMETER_FAKE_HOTSPOT);
  bytes[sites->safepoint_end[0]] = '\xcc';
  const auto changed = find_in(bytes);
  ASSERT_TRUE(changed.ok()) << changed.error().message();
  EXPECT_EQ(changed->pauses_by, "symbols");
}

TEST(LibjvmSites, OfMemoryPoolsComeWithTheirArguments) {
  const auto sites = find_libjvm_sites(open_file(MANOMETER_FAKE_HOTSPOT).get());
  ASSERT_TRUE(sites.ok());
  EXPECT_EQ(sites->pool_ends.size(), 1U);
  EXPECT_EQ(sites->pool_arguments.size(), 8U);
  EXPECT_EQ(sites->no_pools, "");
  EXPECT_FALSE(find_after(kWithoutUsdt).tells_pools());
}

/// Its note's text, with these bytes instead of its first ones.
std::string with_pool_arguments(const std::string& first) {
  std::string bytes = read_whole(MANOMETER_FAKE_HOTSPOT);
  constexpr std::string_view kName("mem__pool__gc__end\0", 19);
  return bytes.replace(bytes.find(kName) + kName.size(), first.size(), first);
}

TEST(LibjvmSites, OfMemoryPoolsAreLeftOutWithoutUsableArguments) {
  for (const std::string& arguments : {std::string("9"), std::string("8@%xmm7"), std::string("\0", 1)}) {
    const auto sites = find_in(with_pool_arguments(arguments));
    ASSERT_TRUE(sites.ok()) << sites.error().message();
    EXPECT_FALSE(sites->tells_pools()) << arguments;
    EXPECT_THAT(sites->no_pools, testing::Not(IsEmpty()));
    EXPECT_EQ(sites->pauses_by, "usdt") << "which need none";
  }
}

TEST(LibjvmSites, OfPoolsTakeNothingElseAway) {
  const auto sites = find_libjvm_sites(open_file(MANOMETER_FAKE_HOTSPOT).get());
  ASSERT_TRUE(sites.ok());
  ASSERT_TRUE(sites->tells_pools());
  std::string bytes = read_whole(MANOMETER_FAKE_HOTSPOT);
  bytes[sites->pool_ends.at(0)] = '\xcc';
  const auto changed = find_in(bytes);
  ASSERT_TRUE(changed.ok()) << changed.error().message();
  EXPECT_FALSE(changed->tells_pools());
  EXPECT_EQ(changed->no_pools, "it is not at a nop");
  EXPECT_EQ(changed->pauses_by, "usdt");
}

TEST(LibjvmSites, AreNoneWithoutNamesAndUsdt) {
  const LibjvmSites sites = find_after({"strip", "--strip-all", "--remove-section=.note.stapsdt"});
  EXPECT_THAT(sites.stall_begin, IsEmpty());
  EXPECT_THAT(sites.stall_end, IsEmpty());
  EXPECT_FALSE(sites.tells_stalls_of_zgc());
  EXPECT_FALSE(sites.tells_stalls_of_shenandoah());
  EXPECT_FALSE(sites.tells_pauses());
}

TEST(LibjvmSites, AreRefusedWhereTheFileIsNoLibrary) {
  for (const std::string& bytes : {std::string(), std::string("#!/bin/sh\n"), std::string(4096, '\0')}) {
    const auto sites = find_in(bytes);
    ASSERT_FALSE(sites.ok());
    EXPECT_THAT(sites.error().message(), HasSubstr("libjvm.so: "));
  }
}

/// The functions of a file that was changed: perhaps others, never beyond its end.
void expect_within(const std::string& bytes) {
  const auto sites = find_in(bytes);
  if (!sites) return;
  for (const auto places :
       {&LibjvmSites::stall_begin, &LibjvmSites::stall_end, &LibjvmSites::block, &LibjvmSites::block_if,
        &LibjvmSites::unblock, &LibjvmSites::safepoint_begin, &LibjvmSites::safepoint_end, &LibjvmSites::collects})
    EXPECT_LE((*sites.*places).size(), 8U);
}

/// 40 MB of memory at most for what a file of a GB says it has.
TEST(LibjvmSites, OfAHugeFileTakeLittleMemory) {
  constexpr uint64_t kSections = 15'000'000;
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_shoff = sizeof(header);
  header.e_shentsize = sizeof(Elf64_Shdr);
  Elf64_Shdr first{};
  first.sh_size = kSections;  // where e_shnum, with its 16 bits, is 0
  Elf64_Shdr symbols{};
  symbols.sh_type = SHT_SYMTAB;
  symbols.sh_size = kSections * sizeof(Elf64_Shdr);
  const auto bytes = [](const auto& part) { return std::string(reinterpret_cast<const char*>(&part), sizeof(part)); };
  for (const uint16_t count : std::array<uint16_t, 2>{0, 2}) {
    header.e_shnum = count;
    const TempDir directory;
    directory.write("libjvm.so", bytes(header) + bytes(first) + bytes(symbols));
    std::filesystem::resize_file(directory.path() / "libjvm.so", kSections * sizeof(Elf64_Shdr));
    rusage before{};
    ::getrusage(RUSAGE_SELF, &before);
    const auto sites = find_libjvm_sites(open_file(directory.path() / "libjvm.so").get());
    rusage after{};
    ::getrusage(RUSAGE_SELF, &after);
    EXPECT_FALSE(sites.ok() && sites->tells_stalls_of_zgc());
    EXPECT_LE(after.ru_maxrss - before.ru_maxrss, 40'000);
  }
}

TEST(LibjvmSites, OfACutFileAreNotReadBeyondIt) {
  const std::string file = read_whole(MANOMETER_FAKE_HOTSPOT);
  for (size_t size = 0; size < file.size(); size += 61) expect_within(file.substr(0, size));
}

TEST(LibjvmSites, OfAnOverwrittenFileAreFoundOrRefused) {
  const std::string file = read_whole(MANOMETER_FAKE_HOTSPOT);
  for (size_t at = 0; at + 8 < file.size(); at += 24) {
    for (const char byte : {'\x00', '\x7f', '\xff'}) expect_within(std::string(file).replace(at, 8, 8, byte));
  }
}

}  // namespace
}  // namespace manometer::test
