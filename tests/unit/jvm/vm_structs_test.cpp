// A JVM without a file for its performance data, read through its memory: here this test's own, with a libjvm in it
// that is made to lead there or astray.

#include "agent/jvm/vm_structs.h"

#include <array>
#include <dlfcn.h>
#include <elf.h>
#include <filesystem>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/jvm/elf_symbols.h"
#include "agent/jvm/inspect.h"
#include "tests/support/fake_libjvm.h"
#include "tests/support/fake_node.h"
#include "tests/support/look.h"
#include "tests/support/mapped_memory.h"
#include "tests/support/perf_data.h"

namespace manometer::jvm {
namespace {

using test::FakeLibjvm;

constexpr pid_t kPid = 42;
constexpr size_t kImageRoom = 1U << 16U;
constexpr size_t kRegionAt = kImageRoom;  // the performance data follow the library
constexpr size_t kRegionRoom = 32768;
constexpr uint64_t kRegion = FakeLibjvm::kBase + kRegionAt;
constexpr uint64_t kNotMapped = FakeLibjvm::kBase + kImageRoom + kRegionRoom;

node::ProcessMemory own_memory() {
  const auto process = node::ProcFs::open("/proc")->process(::getpid());
  return **node::ProcessMemory::open(**process);
}

class VmStructsTest : public testing::Test {
 protected:
  VmStructsTest() : mapped_(FakeLibjvm::kBase, kImageRoom + kRegionRoom) {
    load(good());
    const auto region =
        test::perf_data().add_long("sun.os.hrt.frequency", 1'000'000'000).add_long("java.threads.live", 7).build();
    mapped_.write(kRegionAt, region);
    node_.add_jvm({.pid = kPid}, {});
    node_.write("proc/42/maps", FakeLibjvm::maps());
    std::filesystem::remove(node_.process(kPid) / "mem");
    std::filesystem::create_symlink("/proc/self/mem", node_.process(kPid) / "mem");
  }

  static FakeLibjvm good() { return FakeLibjvm().set_perf_memory(kRegion, kRegionRoom); }
  void load(const FakeLibjvm& library) { mapped_.write(0, library.image()); }
  std::string look() const { return test::look(node_, kPid); }

  test::MappedMemory mapped_;
  node::ProcessMemory memory_ = own_memory();
  test::FakeNode node_;
};

using ElfSymbolsTest = VmStructsTest;

TEST_F(ElfSymbolsTest, FindsWhatIsExportedByEitherHashTable) {
  for (const auto hash : {FakeLibjvm::Hash::kGnu, FakeLibjvm::Hash::kSysv}) {
    const FakeLibjvm library(hash);
    load(library);
    const auto symbols = ElfSymbols::open(memory_, FakeLibjvm::kBase);
    ASSERT_TRUE(symbols.ok()) << symbols.error().message();
    for (const char* name : {"JNI_CreateJavaVM", "JVM_ArrayCopy", "gHotSpotVMStructs",
                             "gHotSpotVMStructEntryAddressOffset", "gHotSpotVMStructEntryArrayStride"}) {
      const auto address = symbols->find(name);
      ASSERT_TRUE(address.ok()) << address.error().message();
      EXPECT_EQ(*address, FakeLibjvm::kBase + library.variable(name)) << name;
    }
    for (const char* name : {"", "JNI_Createjavavm", "gHotSpotVMStruct", "a", "b", "c", "d", "e", "f"})
      EXPECT_EQ(*symbols->find(name), std::nullopt) << name;
  }
}

TEST_F(ElfSymbolsTest, FindsWhatTheLoaderFindsInARealLibrary) {
  void* const libc = ::dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(libc, nullptr);
  Dl_info info{};
  ASSERT_NE(::dladdr(::dlsym(libc, "getppid"), &info), 0);
  const auto symbols = ElfSymbols::open(memory_, reinterpret_cast<uint64_t>(info.dli_fbase));
  ASSERT_TRUE(symbols.ok()) << symbols.error().message();
  for (const char* name : {"getppid", "putenv", "stdout", "mkfifo"})
    EXPECT_EQ(*symbols->find(name), reinterpret_cast<uint64_t>(::dlsym(libc, name))) << name;
  EXPECT_EQ(*symbols->find("gHotSpotVMStructs"), std::nullopt);
  ::dlclose(libc);
}

TEST_F(VmStructsTest, LeadToTheData) {
  EXPECT_EQ(look(), "threads 7");
  const auto inspection = inspect(*node::ProcFs::open(node_.proc()), kPid);
  PerfReader reader(std::get<FoundJvm>(inspection).process);
  EXPECT_EQ(test::describe(reader.read(TimePoint())), "threads 7");
  EXPECT_EQ(reader.tier(), Tier::kMemory);
  mapped_.write(kRegionAt, test::perf_data()
                               .add_long("sun.os.hrt.frequency", 1'000'000'000)
                               .add_long("java.threads.live", 8)
                               .add_string("java.property.java.vm.name", "more than before")
                               .build());
  EXPECT_EQ(test::describe(reader.read(TimePoint())), "threads 8");
  EXPECT_EQ(reader.identity()->vm, "more than before");
}

TEST_F(VmStructsTest, WithoutTheTableItIsNotHotSpot) {
  load(FakeLibjvm(FakeLibjvm::Hash::kGnu, false));
  EXPECT_EQ(look(), "not_hotspot: its libjvm.so exports no gHotSpotVMStructs");
}

TEST_F(VmStructsTest, WithoutDataTheyAreOff) {
  load(FakeLibjvm());
  EXPECT_EQ(look(), "perf_data_off: it keeps no performance data (-XX:-UsePerfData)");
}

TEST_F(VmStructsTest, WithoutDataWhatTheKernelSawIsTaken) {
  load(FakeLibjvm());
  const auto inspection = inspect(*node::ProcFs::open(node_.proc()), kPid);
  PerfReader reader(std::get<FoundJvm>(inspection).process);
  EXPECT_EQ(test::describe(reader.read(TimePoint())), "perf_data_off: it keeps no performance data (-XX:-UsePerfData)");
  PoolReading pools{.collector = "G1", .sample = {}};
  pools.sample.threads = 3;
  EXPECT_EQ(test::describe(reader.read(TimePoint(), pools)), "threads 3");
  EXPECT_EQ(reader.tier(), Tier::kUsdt);
  EXPECT_EQ(reader.identity()->collector, "G1");
  load(good());
  pools.sample.threads = 4;
  EXPECT_EQ(test::describe(reader.read(TimePoint(), pools)), "threads 4") << "it collects, so it will have no data";
  EXPECT_EQ(test::describe(reader.read(TimePoint())),
            "perf_data_off: nothing is known any more of what its collections leave");
}

TEST_F(VmStructsTest, WithoutDataItIsNotedThatItBecameAnotherProgram) {
  load(FakeLibjvm());
  const auto inspection = inspect(*node::ProcFs::open(node_.proc()), kPid);
  PerfReader reader(std::get<FoundJvm>(inspection).process);
  const PoolReading pools{.collector = "G1", .sample = {}};
  const TimePoint start{std::chrono::hours(1)};
  ASSERT_TRUE(std::holds_alternative<PerfSample>(reader.read(start, pools)));
  node_.write(fmt::format("proc/{}/maps", kPid), "");
  EXPECT_TRUE(std::holds_alternative<PerfSample>(reader.read(start + std::chrono::seconds(9), pools)));
  EXPECT_TRUE(std::holds_alternative<Gone>(reader.read(start + std::chrono::seconds(10), pools)));
}

TEST_F(VmStructsTest, ATableWithoutThoseFieldsIsOff) {
  FakeLibjvm library = good();
  load(library.poke(library.vm_structs(), uint64_t{0}));
  EXPECT_EQ(look(), "perf_data_off: it keeps no performance data (-XX:-UsePerfData)");
}

TEST_F(VmStructsTest, SizesOutOfReasonAreUnsafe) {
  for (const uint64_t capacity : {uint64_t{0}, uint64_t{31}, uint64_t{kMaxPerfBytes + 1}, UINT64_MAX}) {
    load(FakeLibjvm().set_perf_memory(kRegion, capacity));
    EXPECT_EQ(look(), "unsafe: performance data of " + std::to_string(capacity) + " bytes");
  }
}

TEST_F(VmStructsTest, DataThatAreUnmappedMeanItIsEnding) {
  load(FakeLibjvm().set_perf_memory(kNotMapped, kRegionRoom));
  EXPECT_EQ(look(), "gone");
  load(FakeLibjvm().set_perf_memory(kRegion + 1, kRegionRoom));
  EXPECT_EQ(look(), "gone") << "the last byte is not mapped";
}

TEST_F(VmStructsTest, DataAtNoAddressAreUnsafe) {
  load(FakeLibjvm().set_perf_memory(UINT64_MAX, kRegionRoom));
  EXPECT_EQ(look(), "unsafe: read memory: not an address");
}

/// One way to lead the walk astray.
struct Astray {
  const char* name;
  FakeLibjvm library;
  const char* answer;
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const Astray& astray, std::ostream* out) {
  *out << astray.name;
}

class LibjvmAstray : public VmStructsTest, public testing::WithParamInterface<Astray> {};

TEST_P(LibjvmAstray, IsUnsafe) {
  load(GetParam().library);
  EXPECT_EQ(look(), std::string("unsafe: ") + GetParam().answer);
}

constexpr const char* kNotElf = "libjvm is not an ELF library that we can read";
constexpr const char* kUnmapped = "read memory: Input/output error";

template <typename T>
FakeLibjvm library_with(size_t offset, T value) {
  return FakeLibjvm().set_perf_memory(kRegion, kRegionRoom).poke(offset, value);
}

std::vector<Astray> broken_elf() {
  const FakeLibjvm whole;
  const size_t dynamic_header = FakeLibjvm::kProgramHeaders + sizeof(Elf64_Phdr);
  const auto dynamic = [&](size_t entry) { return whole.dynamic() + entry * sizeof(Elf64_Dyn); };
  return {
      {"NoMagic", library_with<uint8_t>(0, 0), kNotElf},
      {"ThirtyTwoBits", library_with<uint8_t>(EI_CLASS, ELFCLASS32), kNotElf},
      {"SmallProgramHeaders", library_with<uint16_t>(offsetof(Elf64_Ehdr, e_phentsize), 32), kNotElf},
      {"ManyProgramHeaders", library_with<uint16_t>(offsetof(Elf64_Ehdr, e_phnum), 65), kNotElf},
      {"NoProgramHeaders", library_with<uint16_t>(offsetof(Elf64_Ehdr, e_phnum), 0), "libjvm has no dynamic section"},
      {"ProgramHeadersElsewhere", library_with<uint64_t>(offsetof(Elf64_Ehdr, e_phoff), 1U << 20U), kUnmapped},
      {"ProgramHeadersWrapAround", library_with<uint64_t>(offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX - 7), kUnmapped},
      {"NoDynamicSection", library_with<uint32_t>(dynamic_header, PT_NOTE), "libjvm has no dynamic section"},
      {"DynamicSectionElsewhere",
       library_with<uint64_t>(dynamic_header + offsetof(Elf64_Phdr, p_vaddr), UINT64_MAX >> 1U),
       "read memory: not an address"},
      {"NoNames", library_with<int64_t>(dynamic(0), DT_DEBUG), "libjvm has no symbol tables"},
      {"NoSymbols", library_with<int64_t>(dynamic(1), DT_DEBUG), "libjvm has no symbol tables"},
      {"NoHash", library_with<int64_t>(dynamic(2), DT_DEBUG), "libjvm has no symbol tables"},
      {"HashElsewhere", library_with<uint64_t>(dynamic(2) + 8, kNotMapped), kUnmapped},
  };
}

std::vector<Astray> broken_hashes() {
  const FakeLibjvm gnu;
  const FakeLibjvm sysv(FakeLibjvm::Hash::kSysv);
  FakeLibjvm circle = sysv;
  for (size_t at = sysv.hash() + 8; at < sysv.symbols(); at += 4) circle.poke<uint32_t>(at, 1);
  FakeLibjvm no_buckets = sysv;
  no_buckets.poke<uint32_t>(sysv.hash(), 0);
  FakeLibjvm beyond = sysv;
  for (size_t at = sysv.hash() + 8; at < sysv.symbols(); at += 4) beyond.poke<uint32_t>(at, UINT32_MAX);
  return {
      {"GnuWithoutBuckets", library_with<uint32_t>(gnu.hash(), 0), "malformed symbol hash"},
      {"GnuFilterTooLarge", library_with<uint32_t>(gnu.hash() + 8, UINT32_MAX), kUnmapped},
      {"GnuTooManyBuckets", library_with<uint32_t>(gnu.hash(), UINT32_MAX), kUnmapped},
      {"SysvWithoutBuckets", no_buckets, "malformed symbol hash"},
      {"SysvChainInACircle", circle, "symbol chain without an end"},
      {"SysvSymbolElsewhere", beyond, kUnmapped},
  };
}

std::vector<Astray> broken_tables() {
  const FakeLibjvm whole;
  const auto variable = [&](const char* name, uint64_t value) { return library_with(whole.variable(name), value); };
  return {
      {"TableElsewhere", variable("gHotSpotVMStructs", kNotMapped), kUnmapped},
      {"TableAtNoAddress", variable("gHotSpotVMStructs", UINT64_MAX), "read memory: not an address"},
      {"StrideTooLarge", variable("gHotSpotVMStructEntryArrayStride", 257), "malformed entry layout"},
      {"StrideZero", variable("gHotSpotVMStructEntryArrayStride", 0), "malformed entry layout"},
      {"FieldBeyondItsEntry", variable("gHotSpotVMStructEntryAddressOffset", 41), "malformed entry layout"},
      {"FieldWrapsAround", variable("gHotSpotVMStructEntryTypeNameOffset", UINT64_MAX - 3), "malformed entry layout"},
      {"TypeNameElsewhere", library_with(whole.vm_structs(), kNotMapped), kUnmapped},
      {"FieldNameElsewhere", library_with(whole.vm_structs() + 48 + 8, kNotMapped), kUnmapped},
      {"AddressElsewhere", library_with(whole.vm_structs() + 48 + 40, kNotMapped), kUnmapped},
  };
}

std::vector<Astray> all_astray() {
  std::vector<Astray> all = broken_elf();
  for (const auto& more : {broken_hashes(), broken_tables()}) all.insert(all.end(), more.begin(), more.end());
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, LibjvmAstray, testing::ValuesIn(all_astray()),
                         [](const auto& test) { return test.param.name; });

TEST_F(ElfSymbolsTest, AChainWithoutAnEndEnds) {
  constexpr size_t kHashAt = kImageRoom / 2;  // nothing but zeros follows: no chain's end among them
  const std::array<uint32_t, 5> header{1 /* bucket */, 1 /* first symbol */, 0 /* words */, 0, 1 /* in the bucket */};
  load(library_with(good().dynamic() + 2 * sizeof(Elf64_Dyn) + 8, FakeLibjvm::kBase + kHashAt));
  mapped_.write(kHashAt, std::as_bytes(std::span(header)));
  EXPECT_EQ(look(), "unsafe: symbol chain without an end");
}

TEST_F(VmStructsTest, ATableWithoutAnEndEnds) {
  // Every entry is the same one, again and again.
  constexpr size_t kEntry = 48;
  constexpr size_t kMany = 10'000;
  const FakeLibjvm whole = good();
  const uint64_t name = FakeLibjvm::kBase + whole.vm_structs();  // any text
  const uint64_t table = kNotMapped + kImageRoom;
  test::MappedMemory more(table, kMany * kEntry);
  std::vector<uint64_t> words(kMany * kEntry / sizeof(uint64_t), name);
  more.write(0, std::as_bytes(std::span(words)));
  load(library_with(whole.variable("gHotSpotVMStructs"), table));
  EXPECT_EQ(look(), "unsafe: gHotSpotVMStructs has no end");
}

TEST_F(VmStructsTest, AProcessThatEndedMeanwhileIsGone) {
  std::filesystem::remove(node_.process(kPid) / "mem");
  node_.write("proc/42/mem", "");  // as it reads then
  EXPECT_EQ(look(), "gone");
}

}  // namespace
}  // namespace manometer::jvm
