// Writes inputs to start from into <directory>/<target>/: every fixture of tests/fixtures/perf_data as a region, fake
// libraries, and one good text for each parser of the last target.

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/support/fake_libjvm.h"
#include "tests/support/perf_data.h"

namespace {

namespace fs = std::filesystem;
using manometer::test::FakeLibjvm;
using manometer::test::PerfData;

/// By the number that selects the parser in proc_files_fuzz.
constexpr std::array<std::string_view, 15> kTexts{
    "42 (java) S 1 42 42 0 -1 4194304 1 0 0 0 5 6 0 0 20 0 17 0 123456 1 2 3 4 5\n",
    "7f0000000000-7f0000008000 rw-s 00000000 fd:0a 42    /tmp/hsperfdata_a/1 (deleted)\n"
    "7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0 \n",
    "Name:\tjava\nNSpid:\t4711\t1\nVmPeak:\t1 kB\n",
    "4:memory:/a:b\n1:cpu,cpuacct:/\n0::/kubepods.slice\n",
    "anon 12\nfile 0\nkernel 3\n",
    "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=4\n",
    "9223372036854771712\n",
    "Name:\tjava\nCapEff:\t000001ffffffffff\n",
    "202 0x7f50 0x189 0x0 0x0 0x0 0xffffffff 0x7ffc00000f00 0x7f5000000000\n",
    "35 32 0:32 /.. /sys/fs/cgroup/memory rw,relatime shared:9 master:2 - cgroup cgroup rw,memory\n"
    "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n",
    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod48ea6dbad93797db01928fb7884b8154.slice/"
    "cri-containerd-286b15051ec43375190802e1f40562536980a8fd97e75bb89c7f2eec6f995f17.scope/container",
    "1 2 8:1 /kubelet/pods/48ea6dbad93797db01928fb7884b8154/containers/app/1f8a /dev/termination-log rw - ext4 x rw\n",
    "8@%rbx 8@%r13 8@%r12 8@%rax 8@%rsi 8@-120(%rbp) 8@%rdx -4@$5",
    "8@x19 -8@[sp, 16] 8@[x0] -4@5",
    "# TYPE a gauge\na_bytes{pid=\"1\",container=\"a\\\"b\\\\c\\n\"} 1.5e+09 17\nb_total 3\nc +Inf\n",
};

void write(const fs::path& file, std::string_view bytes) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

void write(const fs::path& file, const std::vector<std::byte>& bytes) {
  write(file, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const fs::path directory = argv[1];
  for (const std::string& fixture : manometer::test::perf_data_fixtures()) {
    write(directory / "perf_data_fuzz" / fixture, PerfData::from_fixture(fixture).build(0));
  }
  for (const auto hash : {FakeLibjvm::Hash::kGnu, FakeLibjvm::Hash::kSysv}) {
    const auto library = FakeLibjvm(hash).set_perf_memory(FakeLibjvm::kBase, 32768);
    write(directory / "libjvm_fuzz" / (hash == FakeLibjvm::Hash::kGnu ? "gnu" : "sysv"), library.image());
  }
  fs::create_directories(directory / "libjvm_file_fuzz");
  fs::copy(MANOMETER_FAKE_HOTSPOT, directory / "libjvm_file_fuzz" / "hotspot", fs::copy_options::overwrite_existing);
  for (size_t i = 0; i < kTexts.size(); ++i)
    write(directory / "proc_files_fuzz" / std::to_string(i), static_cast<char>(i) + std::string(kTexts[i]));
}
