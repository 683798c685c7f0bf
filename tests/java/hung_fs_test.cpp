// A JVM whose /tmp lies on a file system that stops answering: nobody else waits for it.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/mount.h>

#include <gtest/gtest.h>

#include "tests/java/odd.h"
#include "tests/support/perf_data.h"
#include "tests/support/skip.h"
#include "tests/support/temp_dir.h"

namespace manometer::test {
namespace {

/// A file system that answers until it is told to hang. Unmounted with the object; who still has it gets errors.
class HangingFs {
 public:
  HangingFs() : server_({MANOMETER_PASSTHROUGH_FS, files_.path(), mount_.path()}) {
    std::filesystem::permissions(files_.path(), std::filesystem::perms::all | std::filesystem::perms::sticky_bit);
    if (server_.read_line() != "mounted") throw std::runtime_error("no FUSE: " + server_.read_all_errors());
  }
  ~HangingFs() {
    answer();
    ::umount2(mount_.path().c_str(), MNT_DETACH);
  }
  HangingFs(const HangingFs&) = delete;
  HangingFs& operator=(const HangingFs&) = delete;

  std::string directory() const { return mount_.path(); }
  void hang() const { server_.signal(SIGSTOP); }
  void answer() const { server_.signal(SIGCONT); }

 private:
  TempDir files_;
  TempDir mount_;
  Child server_;
};

class HungFs : public JvmTest {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists("/dev/fuse")) MANOMETER_SKIP("there is no /dev/fuse: modprobe fuse");
    JvmTest::SetUp();
  }

  static void expect_given_up(const Agent& agent, const LabelMap& jvm) {
    const auto is_given_up = [&](const Scraped& scraped) {
      return is_refused_for(scraped, jvm, "unresponsive") && scraped.value("manometer_blocked_reads") == 1;
    };
    EXPECT_TRUE(is_given_up(agent.scrape_until(is_given_up))) << agent.get("/metrics");
  }
};

TEST_F(HungFs, CostsOnlyTheValuesOfItsOwnJvm) {
  const std::vector<std::string> often{"--sample-interval", "100ms", "--scan-interval", "1s"};
  std::optional<Jvm> on_fs;  // first, because it cannot end as long as the file system hangs
  const HangingFs fs;
  Jvm& odd = on_fs.emplace(jdk(), JvmSetup{.tmp = fs.directory()});
  Jvm other(jdk(), {});
  Agent agent(often);
  expect_followed(agent, odd, "hsperfdata");
  expect_followed(agent, other, "hsperfdata");

  fs.hang();
  expect_given_up(agent, odd.labels());
  // All of these would wait for as long as the file system hangs.
  expect_followed(agent, other, "hsperfdata");
  Jvm later(jdk(), {});
  expect_followed(agent, later, "hsperfdata");
  const Agent newcomer(often);
  expect_followed(newcomer, other, "hsperfdata");
  expect_given_up(newcomer, odd.labels());

  fs.answer();
  expect_followed(agent, odd, "hsperfdata");
  expect_followed(newcomer, odd, "hsperfdata");
  EXPECT_EQ(agent.scrape().value("manometer_blocked_reads"), 0);

  fs.hang();
  expect_given_up(agent, odd.labels());
  agent.child().signal(SIGTERM);
  EXPECT_EQ(agent.child().wait(), 0);
}

/// No event tells of the end, and neither does the read, which does not come back.
TEST_F(HungFs, AJvmThatEndsMeanwhileIsForgotten) {
  const HangingFs fs;
  const std::filesystem::path directory = fs.directory();
  const std::string data = directory / "hsperfdata_test/1";
  const auto region = PerfData::from_fixture("17-g1").build();
  std::filesystem::create_directory(directory / "hsperfdata_test");
  std::ofstream(data).write(reinterpret_cast<const char*>(region.data()), static_cast<std::streamsize>(region.size()));
  std::ofstream(directory / "libjvm.so") << "no library";
  Child jvm({MANOMETER_FAKE_JVM, directory / "libjvm.so", data});
  ASSERT_EQ(jvm.read_line(), "mapped");
  const LabelMap labels{{"pid", std::to_string(jvm.pid())}};
  const Agent agent({"--bpf", "off", "--sample-interval", "100ms", "--scan-interval", "1s"});
  const auto is_read = [&](const Scraped& scraped) { return is_read_by(scraped, labels, "hsperfdata"); };
  ASSERT_TRUE(is_read(agent.scrape_until(is_read))) << agent.get("/metrics");
  fs.hang();
  expect_given_up(agent, labels);
  jvm.close_stdin();
  ASSERT_EQ(jvm.wait(), 0);
  const auto is_forgotten = [&](const Scraped& scraped) { return is_gone(scraped, labels); };
  EXPECT_TRUE(is_forgotten(agent.scrape_until(is_forgotten))) << agent.get("/metrics");
  EXPECT_EQ(agent.scrape().value("manometer_blocked_reads"), 1) << "the read still hangs";
}

}  // namespace
}  // namespace manometer::test
