// Writes every fixture of tests/fixtures/perf_data as a region into the directory given.

#include <filesystem>
#include <fstream>

#include "tests/support/perf_data.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::filesystem::path directory = argv[1];
  std::filesystem::create_directories(directory);
  for (const std::string& fixture : manometer::test::perf_data_fixtures()) {
    const auto region = manometer::test::PerfData::from_fixture(fixture).build(0);
    std::ofstream(directory / fixture, std::ios::binary)
        .write(reinterpret_cast<const char*>(region.data()), static_cast<std::streamsize>(region.size()));
  }
}
