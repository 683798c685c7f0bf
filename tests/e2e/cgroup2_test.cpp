// The agent where its programs cannot be attached to a cgroup, and where nobody has mounted the cgroup2 tree.

#include <array>
#include <fcntl.h>
#include <fstream>
#include <linux/bpf.h>

#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/bpf/http_load.h"
#include "tests/bpf/unified_cgroup.h"
#include "tests/support/agent.h"
#include "tests/support/temp_dir.h"

namespace manometer::test {
namespace {

using testing::HasSubstr;

const std::string kPrefix = "manometer_http_";

/// Somebody else's program, the only one that its cgroup allows. It lets everything pass.
class LoneProgram {
 public:
  explicit LoneProgram(const UnifiedCgroup& cgroup) : cgroup_(cgroup) {
    constexpr std::array<bpf_insn, 2> kReturnOne{
        {{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
    program_ = UniqueFd(
        ::bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "lone", "GPL", kReturnOne.data(), kReturnOne.size(), nullptr));
    if (!program_ || ::bpf_prog_attach(program_.get(), cgroup.fd(), BPF_CGROUP_INET_INGRESS, 0) != 0)
      throw std::system_error(errno, std::generic_category(), "attach a program");
  }
  ~LoneProgram() { ::bpf_prog_detach2(program_.get(), cgroup_.fd(), BPF_CGROUP_INET_INGRESS); }
  LoneProgram(const LoneProgram&) = delete;
  LoneProgram& operator=(const LoneProgram&) = delete;

 private:
  const UnifiedCgroup& cgroup_;
  UniqueFd program_;
};

/// A server in a cgroup.
class PlacedServer {
 public:
  explicit PlacedServer(const UnifiedCgroup& cgroup) : child_(cgroup.inside({MANOMETER_FAST_HTTP_SERVER})) {
    load_.port = static_cast<uint16_t>(std::stoi(child_.read_line().value()));
    load_.waits = Load::Waits::kSleep;
  }

  void expect_answers(uint64_t requests) {
    load_.count = requests;
    EXPECT_EQ(run_load(load_).answered, requests);
  }
  LabelMap labels() const { return {{"pid", std::to_string(child_.pid())}}; }
  bool is_watched(const Agent& agent) const {
    return agent.scrape().value(kPrefix + "requests_in_flight", labels()).has_value();
  }
  double measured(const Agent& agent) const {
    return agent.scrape().sum(kPrefix + "request_duration_seconds_count", labels());
  }

 private:
  Child child_;
  Load load_;
};

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

double unattached(const Agent& agent) {
  return agent.scrape().value(kPrefix + "unattached_cgroups").value_or(-1);
}

TEST(TakenCgroup, IsSaidOnceAndTheOthersAreMeasured) {
  const UnifiedCgroup taken("taken");
  const UnifiedCgroup open("open");
  auto lone = std::make_optional<LoneProgram>(taken);
  PlacedServer blind(taken);
  PlacedServer seen(open);
  Agent agent({"--watch", "cgroup:*/" + taken.name(), "--watch", "cgroup:*/" + open.name(), "--scan-interval", "1s"});
  EXPECT_TRUE(eventually([&] { return blind.is_watched(agent) && seen.is_watched(agent); }));
  EXPECT_EQ(unattached(agent), 1);
  const PlacedServer another(taken);
  EXPECT_TRUE(eventually([&] { return another.is_watched(agent); }));
  EXPECT_EQ(unattached(agent), 1);
  EXPECT_EQ(taken.attached(), 1U) << "somebody else's program stays, and none of ours is half attached";
  blind.expect_answers(10);
  seen.expect_answers(10);
  EXPECT_TRUE(eventually([&] { return seen.measured(agent) == 10; }));
  EXPECT_EQ(blind.measured(agent), 0);

  lone.reset();
  EXPECT_TRUE(eventually([&] { return unattached(agent) == 0; })) << "it tries again";
  blind.expect_answers(10);
  EXPECT_TRUE(eventually([&] { return blind.measured(agent) == 10; }));
  agent.child().signal(SIGTERM);
  const std::string log = agent.child().read_all_errors();
  EXPECT_EQ(count_of(log, "requests in cgroup /" + taken.name() + " are not measured"), 1U) << log;
  EXPECT_EQ(count_of(log, "requests in cgroup"), 1U) << log;
}

/// Commands of a shell whose first process sees no cgroup2 tree, and a server in there.
class Unmounted : public testing::Test {
 protected:
  std::vector<std::string> launcher(const std::string& last) const {
    const std::string script =
        "for directory in $(awk '$3 == \"cgroup2\" {print $2}' /proc/mounts); do umount -l $directory; done;"
        "tail -f /dev/null | " MANOMETER_FAST_HTTP_SERVER " > " +
        port_file() + " & " + last;
    return cgroup_.inside({"unshare", "--mount", "--pid", "--fork", "--kill-child", "--cgroup", "--mount-proc",
                           "/bin/sh", "-c", script, "sh"});
  }
  std::string port_file() const { return dir_.path() / "port"; }
  Load load() const {
    Load load;
    EXPECT_TRUE(eventually([&] { return static_cast<bool>(std::ifstream(port_file()) >> load.port); }));
    load.waits = Load::Waits::kSleep;
    load.count = 10;
    return load;
  }

  const std::vector<std::string> arguments_{"--watch", "exe:*/fast_http_server"};
  TempDir dir_;
  UnifiedCgroup cgroup_{"unmounted"};
};

TEST_F(Unmounted, TheAgentMountsTheTreeForItself) {
  const Agent agent(arguments_, {}, launcher("exec \"$@\""));
  const auto is_watched = [](const Scraped& now) { return !now.all(kPrefix + "requests_in_flight").empty(); };
  const Scraped watched = agent.scrape_until(is_watched);
  ASSERT_TRUE(is_watched(watched)) << agent.log_at_start();
  EXPECT_EQ(cgroup_.attached(), 2U);
  EXPECT_EQ(unattached(agent), 0);
  EXPECT_EQ(run_load(load()).answered, 10U);
  const auto measured = [](const Scraped& now) { return now.sum(kPrefix + "request_duration_seconds_count"); };
  EXPECT_EQ(measured(agent.scrape_until([&](const Scraped& now) { return measured(now) == 10; })), 10);
}

TEST_F(Unmounted, AnAgentThatMayNotMountSaysSoOnceAndGoesOn) {
  const Agent agent(arguments_, {}, launcher("exec setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin \"$@\""));
  EXPECT_EQ(count_of(agent.log_at_start(), "requests are not measured: cgroup2 is not mounted; mount it"), 1U)
      << agent.log_at_start();
  EXPECT_EQ(run_load(load()).answered, 10U);
  EXPECT_THAT(agent.get("/metrics"), HasSubstr("manometer_build_info"));
  EXPECT_TRUE(agent.scrape().all(kPrefix + "requests_in_flight").empty());
  EXPECT_EQ(cgroup_.attached(), 0U);
}

}  // namespace
}  // namespace manometer::test
