#include "agent/container/index.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/captured_log.h"
#include "tests/support/fake_node.h"

namespace manometer::container {
namespace {

class IndexTest : public testing::Test {
 protected:
  IndexTest() { fake_.write("cgroup/cgroup.controllers", "memory\n"); }

  Index index() { return {*node::cgroup_mount_at(fake_.cgroup()), log_}; }

  test::FakeNode fake_;
  LogOnce log_;
};

TEST_F(IndexTest, KeepsAContainerAsLongAsItHasProcesses) {
  Index containers = index();
  const std::string first = containers.acquire({{"", "/a/app.service"}});
  const std::string second = containers.acquire({{"", "/a/app.service"}});
  EXPECT_EQ(first, second);
  EXPECT_EQ(containers.all().size(), 1U);
  containers.release(first);
  EXPECT_EQ(containers.all().size(), 1U);
  containers.release(second);
  EXPECT_TRUE(containers.all().empty());
}

TEST_F(IndexTest, TheMemoryControllersPathNamesAV1Container) {
  Index containers = index();
  const std::string key =
      containers.acquire({{"cpu,cpuacct", "/cpu"}, {"hugetlb,memory", "/docker/abc"}, {"", "/unified"}});
  EXPECT_EQ(containers.all().at(key).target.container, "abc");
}

TEST_F(IndexTest, TwoContainersNeverShareALabel) {
  Index containers = index();
  const std::string first = containers.acquire({{"", "/a/app.service"}});
  const std::string second = containers.acquire({{"", "/b/app.service"}});
  EXPECT_EQ(containers.all().at(first).target.container, "app.service");
  EXPECT_EQ(containers.all().at(second).target.container, "/b/app.service");
}

TEST_F(IndexTest, MemoryIsReadWhereThereIsSome) {
  fake_.write("cgroup/app/cgroup.procs", "");
  Index containers = index();
  EXPECT_TRUE(containers.all().at(containers.acquire({{"", "/app"}})).memory);
  EXPECT_FALSE(containers.all().at(containers.acquire({{"", "/none"}})).memory);
  Index without_controller(std::nullopt, log_);
  EXPECT_FALSE(without_controller.all().at(without_controller.acquire({{"", "/app"}})).memory);
}

TEST_F(IndexTest, ACgroupMadeAnewUnderThePathIsAnother) {
  fake_.write("cgroup/app/cgroup.procs", "");
  fake_.write("cgroup/app/memory.current", "1\n");
  Index containers = index();
  const std::string key = containers.acquire({{"", "/app"}});
  std::filesystem::rename(fake_.cgroup() + "/app", fake_.cgroup() + "/old");
  fake_.write("cgroup/app/cgroup.procs", "");
  fake_.write("cgroup/app/memory.current", "2\n");
  containers.acquire({{"", "/app"}});
  const auto usage = containers.all().at(key).memory->read();
  ASSERT_TRUE(usage && *usage);
  EXPECT_EQ((*usage)->usage_bytes, 2U);
  EXPECT_EQ(containers.all().at(key).processes, 2U);
}

constexpr TimePoint kStart{};
constexpr std::chrono::seconds kMaxAge{5};

TEST_F(IndexTest, MemoryIsReadAnewOnlyIfTheLastReadingIsOld) {
  fake_.write("cgroup/app/cgroup.procs", "");
  fake_.write("cgroup/app/memory.current", "1\n");
  Index containers = index();
  const std::string key = containers.acquire({{"", "/app"}});
  ASSERT_TRUE(containers.memory(key, kStart, kMaxAge));
  EXPECT_EQ(containers.memory(key, kStart, kMaxAge)->usage.usage_bytes, 1U);
  fake_.write("cgroup/app/memory.current", "2\n");
  const TimePoint old = kStart + kMaxAge;
  EXPECT_EQ(containers.memory(key, old - std::chrono::seconds(1), kMaxAge)->usage.usage_bytes, 1U);
  EXPECT_EQ(containers.memory(key, old - std::chrono::seconds(1), kMaxAge)->at, kStart);
  EXPECT_EQ(containers.memory(key, old, kMaxAge)->usage.usage_bytes, 2U);
  EXPECT_EQ(containers.memory(key, old, kMaxAge)->at, old);
}

TEST_F(IndexTest, MemoryIsUnknownWhereThereIsNone) {
  Index containers = index();
  EXPECT_FALSE(containers.memory(containers.acquire({{"", "/none"}}), kStart, kMaxAge));
}

TEST_F(IndexTest, MemoryThatCannotBeReadIsUnknownAndLoggedOnce) {
  const test::CapturedLog log;
  fake_.write("cgroup/app/cgroup.procs", "");
  fake_.write("cgroup/app/memory.current", "1\n");
  Index containers = index();
  const std::string key = containers.acquire({{"", "/app"}});
  ASSERT_TRUE(containers.memory(key, kStart, kMaxAge));
  fake_.write("cgroup/app/memory.current", "much\n");
  EXPECT_FALSE(containers.memory(key, kStart + kMaxAge, kMaxAge)) << "not the old one either";
  EXPECT_THAT(log.text(), testing::HasSubstr("memory.current"));
  const std::string once = log.text();
  EXPECT_FALSE(containers.memory(key, kStart + kMaxAge, kMaxAge));
  EXPECT_EQ(log.text(), once);
  fake_.write("cgroup/app/memory.current", "3\n");
  EXPECT_EQ(containers.memory(key, kStart + kMaxAge, kMaxAge)->usage.usage_bytes, 3U);
}

TEST_F(IndexTest, MemoryOfACgroupThatIsGoneIsUnknown) {
  fake_.write("cgroup/app/cgroup.procs", "");
  Index containers = index();
  const std::string key = containers.acquire({{"", "/app"}});
  ASSERT_TRUE(containers.memory(key, kStart, kMaxAge));
  std::filesystem::remove_all(fake_.cgroup() + "/app");
  EXPECT_FALSE(containers.memory(key, kStart + kMaxAge, kMaxAge));
}

TEST_F(IndexTest, ANameIsCutToWhatALabelTakes) {
  const test::CapturedLog log;
  Index containers = index();
  const std::string key = containers.acquire({{"", "/\n" + std::string(1000, 'x')}});
  EXPECT_EQ(containers.all().at(key).target.container, "\n" + std::string(metrics::kMaxLabelBytes - 1, 'x'));
  EXPECT_THAT(log.text(), testing::HasSubstr("File name too long")) << "there is no such cgroup, and no memory of it";
  EXPECT_THAT(log.text(), testing::HasSubstr("/\\x0axxx")) << "in one line";
}

TEST_F(IndexTest, ProcessesOfTheRootHaveNoContainer) {
  Index containers = index();
  EXPECT_FALSE(containers.all().at(containers.acquire({{"", "/"}})).target.container);
  EXPECT_FALSE(containers.all().at(containers.acquire({})).target.container);
}

const std::string kUid = "a3b200c9-db51-40b4-9d2d-53f8fdf80d7f";

/// The cgroup of a container of the pod kUid.
std::string cgroup_of(char id) {
  return "/kubepods/burstable/pod" + kUid + '/' + std::string(64, id);
}

PodNames names(const std::optional<std::string>& container, bool is_certain) {
  return {"shop", "web-0", container, is_certain};
}

TEST_F(IndexTest, APodsContainerIsNamedWhenItsNamesAreKnown) {
  Index containers = index();
  int asked = 0;
  containers.on_unnamed = [&] { ++asked; };
  const std::string key = containers.acquire({{"", cgroup_of('a')}});
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(containers.target(key, "1"), (Target{std::nullopt, std::nullopt, std::string(64, 'a'), "1"}));
  ASSERT_EQ(containers.unnamed().size(), 1U);
  EXPECT_EQ(containers.unnamed().front().key, key);
  EXPECT_EQ(containers.unnamed().front().pod_uid, kUid);
  EXPECT_EQ(containers.unnamed().front().id, std::string(64, 'a'));

  containers.set_names(key, names(std::nullopt, false));
  EXPECT_EQ(containers.target(key, "1"), (Target{"shop", "web-0", std::string(64, 'a'), "1"}));
  containers.set_names(key, names("app", false));
  EXPECT_EQ(containers.target(key, "1"), (Target{"shop", "web-0", "app", "1"}));
  EXPECT_EQ(containers.unnamed().size(), 1U) << "a link may know better";
  containers.set_names(key, names(std::nullopt, false));
  EXPECT_EQ(containers.target(key, "1").container, "app") << "its process has ended, another has not";
  containers.set_names(key, names("app", true));
  EXPECT_TRUE(containers.unnamed().empty());
  EXPECT_EQ(containers.acquire({{"", cgroup_of('a')}}), key);
  EXPECT_EQ(asked, 1);
}

TEST_F(IndexTest, OnlyPodsHaveNames) {
  Index containers = index();
  containers.on_unnamed = [] { FAIL(); };
  containers.acquire({{"", "/a/app.service"}});
  EXPECT_TRUE(containers.unnamed().empty());
}

TEST_F(IndexTest, NamesOfAContainerThatIsGoneAreIgnored) {
  Index containers = index();
  const std::string key = containers.acquire({{"", cgroup_of('a')}});
  containers.release(key);
  containers.set_names(key, names("app", true));
  EXPECT_TRUE(containers.all().empty());
}

TEST_F(IndexTest, WhatIsBelowAPodsContainerIsPartOfIt) {
  Index containers = index();
  const std::string key = containers.acquire({{"", cgroup_of('a')}});
  EXPECT_EQ(containers.acquire({{"", cgroup_of('a') + "/system.slice/app.service"}}), key);
  EXPECT_EQ(containers.all().size(), 1U);
}

TEST_F(IndexTest, AContainerThatStartsAgainTakesTheNameOfTheOneBefore) {
  Index containers = index();
  const std::string before = containers.acquire({{"", cgroup_of('a')}});
  containers.set_names(before, names("app", true));
  const std::string after = containers.acquire({{"", cgroup_of('b')}});
  containers.set_names(after, names("app", true));
  EXPECT_EQ(containers.target(after, "1").container, "app");
  EXPECT_EQ(containers.target(before, "1"), (Target{"shop", "web-0", std::string(64, 'a'), "1"}));
}

TEST_F(IndexTest, OnlyALinkTakesANameFromAnother) {
  Index containers = index();
  const std::string first = containers.acquire({{"", cgroup_of('a')}});
  const std::string second = containers.acquire({{"", cgroup_of('b')}});
  for (const bool is_certain : {false, true}) {
    containers.set_names(first, names("app", is_certain));
    containers.set_names(second, names("app", false));
    EXPECT_EQ(containers.target(first, "1").container, "app");
    EXPECT_EQ(containers.target(second, "1"), (Target{"shop", "web-0", std::string(64, 'b'), "1"}));
  }
  int asked = 0;
  containers.on_unnamed = [&] { ++asked; };
  containers.release(first);
  EXPECT_EQ(asked, 1) << "the name is free";
  containers.set_names(second, names("app", false));
  EXPECT_EQ(containers.target(second, "1").container, "app");
}

TEST_F(IndexTest, TwoOfAPodWithOneLastNameDifferBeforeAndAfter) {
  Index containers = index();
  const std::string pod = "/kubepods/burstable/pod" + kUid;
  const std::string first = containers.acquire({{"", pod + "/odd-a/init.scope"}});
  const std::string second = containers.acquire({{"", pod + "/odd-b/init.scope"}});
  EXPECT_NE(containers.target(first, "1"), containers.target(second, "1"));
  containers.set_names(first, names(std::nullopt, true));
  containers.set_names(second, names(std::nullopt, true));
  EXPECT_NE(containers.target(first, "1"), containers.target(second, "1"));
}

/// Whoever may make cgroups can call one like a pod's container.
TEST_F(IndexTest, ACgroupOutsideOfPodsTakesNoNameFromAPod) {
  const std::string like_it = "/user.slice/user@1000.service/pod" + kUid + '/' + std::string(64, 'a');
  Index containers = index();
  const std::string real = containers.acquire({{"", cgroup_of('a')}});
  containers.set_names(real, names("app", true));
  const std::string false_one = containers.acquire({{"", like_it}});
  containers.set_names(false_one, names("app", true));
  EXPECT_EQ(containers.target(real, "1").container, "app");
  EXPECT_NE(containers.target(false_one, "1"), containers.target(real, "1"));
}

TEST_F(IndexTest, TwoWithoutAContainersNameDiffer) {
  const std::string like_it = "/user.slice/user@1000.service/pod" + kUid + '/' + std::string(64, 'a');
  Index containers = index();
  const std::string first = containers.acquire({{"", like_it}});
  const std::string second = containers.acquire({{"", cgroup_of('a')}});
  containers.set_names(first, names(std::nullopt, false));
  containers.set_names(second, names(std::nullopt, false));
  EXPECT_NE(containers.target(first, "1"), containers.target(second, "1"));
}

TEST_F(IndexTest, NamesAreCutAndCleaned) {
  Index containers = index();
  const std::string key = containers.acquire({{"", cgroup_of('a')}});
  containers.set_names(key, {std::string(300, 'n'), "\xff", "app\n", true});
  EXPECT_EQ(containers.target(key, "1"),
            (Target{std::string(metrics::kMaxLabelBytes, 'n'), "\xEF\xBF\xBD", "app\n", "1"}));
}

TEST_F(IndexTest, ANameIsFreeAgainWithItsLastProcess) {
  Index containers = index();
  const std::string first = containers.acquire({{"", "/a/app.service"}});
  containers.release(first);
  containers.release(first);
  const std::string second = containers.acquire({{"", "/b/app.service"}});
  EXPECT_EQ(containers.all().at(second).target.container, "app.service");
}

TEST(TargetTest, LeavesOutWhatIsNotKnown) {
  const auto names = [](const Target& target) {
    std::string out;
    for (const auto& label : target.labels()) out += label.name + '=' + label.value + ' ';
    return out;
  };
  EXPECT_EQ(names({}), "");
  EXPECT_EQ(names({std::nullopt, std::nullopt, "app", "1"}), "container=app pid=1 ");
  EXPECT_EQ(names({"shop", "web-0", "app", "1"}), "namespace=shop pod=web-0 container=app pid=1 ");
}

}  // namespace
}  // namespace manometer::container
