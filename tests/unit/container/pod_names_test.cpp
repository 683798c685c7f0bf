#include "agent/container/pod_names.h"

#include <fcntl.h>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_node.h"

namespace manometer::container {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kId = "286b15051ec43375190802e1f40562536980a8fd97e75bb89c7f2eec6f995f17";
const std::string kOtherId = "3350ade4226f0adcd9e4e9545d7c2a16a5aa362d12315f2a88e2024cea1246cf";
const std::string kUid = "a3b200c9-db51-40b4-9d2d-53f8fdf80d7f";
const std::string kHash = "48ea6dbad93797db01928fb7884b8154";

TEST(PodDirectory, HasThreeParts) {
  EXPECT_EQ(parse_pod_directory("shop_web-0_" + kUid), (PodDirectory{"shop", "web-0", kUid}));
  EXPECT_EQ(parse_pod_directory("kube-system_etcd-node.example.com_" + kHash),
            (PodDirectory{"kube-system", "etcd-node.example.com", kHash}));
  for (const char* other : {"", "_", "__", "a_b", "a_b_", "_b_c", "a__c", "a_b_c_d", "lost+found"})
    EXPECT_FALSE(parse_pod_directory(other)) << other;
}

/// What the kubelet makes of these names, as long as a file's may be.
std::string link_name(const std::string& pod, const std::string& container, const std::string& id) {
  return (pod + "_shop_" + container + '-' + id).substr(0, 251) + ".log";
}

std::string link_target(const std::string& pod, const std::string& container) {
  return "/var/log/pods/shop_" + pod + '_' + kUid + '/' + container + "/3.log";
}

TEST(ContainerLink, HasTheIdAndLeadsToTheNames) {
  const auto link = parse_container_link(link_name("web-0", "my-app", kId), link_target("web-0", "my-app"));
  ASSERT_TRUE(link);
  EXPECT_EQ(link->pod, (PodDirectory{"shop", "web-0", kUid}));
  EXPECT_EQ(link->container, "my-app");
  EXPECT_EQ(link->id, kId);
}

TEST(ContainerLink, MayHaveTheIdsBeginningOnly) {
  const std::string cut_to_ten(251 - std::string("_shop_app-0123456789").size(), 'p');
  EXPECT_EQ(parse_container_link(link_name(cut_to_ten, "app", kId), link_target(cut_to_ten, "app"))->id,
            kId.substr(0, 10));
  const std::string cut_to_five = cut_to_ten + "ppppp";
  EXPECT_FALSE(parse_container_link(link_name(cut_to_five, "app", kId), link_target(cut_to_five, "app")));
  const std::string all(253, 'p');
  EXPECT_FALSE(parse_container_link(link_name(all, "app", kId), link_target(all, "app")));
}

TEST(ContainerLink, HasToAgreeWithWhatItLeadsTo) {
  const std::string name = link_name("web-0", "app", kId);
  EXPECT_FALSE(parse_container_link(name, link_target("web-1", "app")));
  EXPECT_FALSE(parse_container_link(name, link_target("web-0", "ap")));
  for (const char* to : {"", "/", ".log", "//.log", "/app/0.log", "/etc/passwd", "a_b_c/app/0", "a_b_c//0.log"})
    EXPECT_FALSE(parse_container_link(name, to)) << to;
  EXPECT_FALSE(parse_container_link("", link_target("web-0", "app")));
  EXPECT_FALSE(parse_container_link(".log", link_target("web-0", "app")));
}

std::string mount_of(const std::string& root) {
  return "3021 2988 259:1 " + root + " /dev/termination-log rw,noatime - ext4 /dev/root rw\n";
}

TEST(MountedContainer, IsWhatTheKubeletMounted) {
  const std::string other = mount_of("/");
  const std::string hosts = mount_of("/var/lib/kubelet/pods/" + kUid + "/etc-hosts");
  const std::string kubelet = "/var/lib/kubelet/pods/" + kUid + "/containers/";
  EXPECT_EQ(parse_mounted_container(other + hosts + mount_of(kubelet + "my-app/1f8a2c3d") + other, kUid), "my-app");
  EXPECT_EQ(parse_mounted_container(mount_of("/pods/" + kUid + "/containers/app/1f8a2c3d"), kUid), "app")
      << "a file system of its own";
  EXPECT_EQ(parse_mounted_container(mount_of("/pods/" + kHash + "/containers/app/1f8a2c3d"), kHash), "app");
  EXPECT_FALSE(parse_mounted_container(other + hosts, kUid));
  EXPECT_FALSE(parse_mounted_container("", kUid));
}

TEST(MountedContainer, IsNotTakenFromOtherMounts) {
  const std::string kubelet = "/var/lib/kubelet/pods/" + kUid + "/containers/";
  EXPECT_FALSE(parse_mounted_container(mount_of(kubelet + "app/1f8a2c3d"), kHash)) << "another pod's";
  for (const std::string& root : {kubelet, kubelet + "app", kubelet + "app/", kubelet + "/x", kubelet + "app/x/y"})
    EXPECT_FALSE(parse_mounted_container(mount_of(root), kUid)) << root;
  EXPECT_FALSE(parse_mounted_container(mount_of(kubelet + "app/1") + mount_of(kubelet + "sidecar/2"), kUid));
  EXPECT_EQ(parse_mounted_container(mount_of(kubelet + "app/1") + mount_of(kubelet + "app/2"), kUid), "app");
  EXPECT_FALSE(parse_mounted_container("1 2 3\n4\n\n", kUid));
}

class FindPodNames : public testing::Test {
 protected:
  void add_container(const std::string& pod, const std::string& container) const {
    fs::create_directories(log() / ("pods/shop_" + pod + '_' + kUid) / container);
  }

  void add_link(const std::string& pod, const std::string& container, const std::string& id) const {
    fs::create_directories(log() / "containers");
    fs::create_symlink(link_target(pod, container), log() / "containers" / link_name(pod, container, id));
  }

  /// A process with that mount table.
  node::Process add_process(const std::string& mountinfo) const {
    node_.write("proc/7/mountinfo", mountinfo);
    return **node::ProcFs::open(node_.proc())->process(7);
  }

  fs::path log() const { return node_.path() / "log"; }

  /// Of the container kId.
  std::optional<PodNames> find(std::optional<node::Process> process = std::nullopt,
                               std::optional<std::string> id = kId) const {
    const auto found = find_pod_names(log(), {{"key", kUid, id, std::move(process)}});
    if (!found || found->empty()) return std::nullopt;
    EXPECT_EQ(found->front().key, "key");
    return found->front().names;
  }

  test::FakeNode node_;
  const std::string mounted_app_ = mount_of("/var/lib/kubelet/pods/" + kUid + "/containers/app/1f8a2c3d");
};

TEST_F(FindPodNames, TakesThemFromTheLink) {
  add_container("web-0", "app");
  add_container("web-0", "sidecar");
  add_link("web-0", "sidecar", kOtherId);
  add_link("web-0", "app", kId);
  EXPECT_EQ(find(), (PodNames{"shop", "web-0", "app", true}));
}

TEST_F(FindPodNames, TakesThemFromALinkThatWasCut) {
  const std::string app(63, 'a');
  const std::string pod(251 - std::string("_shop_-0123456789").size() - app.size(), 'p');
  add_container(pod, app);
  add_link(pod, app, kOtherId);
  EXPECT_EQ(find(), (PodNames{"shop", pod, std::nullopt, false}));
  add_link(pod, app, kId);
  EXPECT_EQ(find(), (PodNames{"shop", pod, app, true}));
}

TEST_F(FindPodNames, TakesThemFromAMountAsLongAsThereIsNoLink) {
  add_container("web-0", "app");
  add_container("web-0", "sidecar");
  const auto process = add_process(mounted_app_);
  EXPECT_EQ(find(process), (PodNames{"shop", "web-0", "app", false}));
  add_link("web-0", "sidecar", kId);
  EXPECT_EQ(find(process), (PodNames{"shop", "web-0", "sidecar", true})) << "the mount may be of its own making";
}

TEST_F(FindPodNames, TakesNoMountForAContainerThatThePodDoesNotHave) {
  add_container("web-0", "sidecar");
  EXPECT_EQ(find(add_process(mounted_app_)), (PodNames{"shop", "web-0", std::nullopt, false}));
}

TEST_F(FindPodNames, TakesNoMountTableOfAnySize) {
  add_container("web-0", "app");
  EXPECT_EQ(find(add_process(mounted_app_ + std::string(5 << 20, ' ')))->container, std::nullopt);
}

TEST_F(FindPodNames, DoNotGuessThatTheOnlyContainerIsIt) {
  add_container("web-0", "app");
  EXPECT_EQ(find(), (PodNames{"shop", "web-0", std::nullopt, false})) << "it may be the sandbox";
}

TEST_F(FindPodNames, OfAProcessBesideTheContainersAreThePods) {
  add_container("web-0", "app");
  EXPECT_EQ(find(add_process(mounted_app_), std::nullopt), (PodNames{"shop", "web-0", std::nullopt, true}));
}

TEST_F(FindPodNames, NeedThePodsDirectory) {
  EXPECT_THAT(find_pod_names(log(), {{"key", kUid, kId, std::nullopt}}).error().message(), HasSubstr("/log/pods"));
  fs::create_directories(log() / "pods/other_pod_0");
  EXPECT_FALSE(find(add_process(mounted_app_)));
  add_link("web-0", "app", kId);
  EXPECT_FALSE(find()) << "a link that leads nowhere any more";
}

TEST_F(FindPodNames, OfAStaticPodAreFoundByItsHash) {
  fs::create_directories(log() / ("pods/kube-system_etcd-a.b_" + kHash) / "etcd");
  const auto found = find_pod_names(
      log(), {{"1", kHash, kId, add_process(mount_of("/pods/" + kHash + "/containers/etcd/1"))}, {"2", kUid, kId, {}}});
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().names, (PodNames{"kube-system", "etcd-a.b", "etcd", false}));
}

TEST_F(FindPodNames, SurviveWhatElseIsThere) {
  add_container("web-0", "app");
  node_.write("log/pods/README", "");
  node_.write("log/containers/" + std::string(255, 'x'), "no link");
  fs::create_symlink("loop", log() / "containers/loop");
  fs::create_symlink(std::string(4000, 'y'), log() / "containers" / ("\xff\n-" + kId + ".log"));
  EXPECT_EQ(find(), (PodNames{"shop", "web-0", std::nullopt, false}));
}

}  // namespace
}  // namespace manometer::container
