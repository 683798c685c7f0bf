// Real names, from the runtimes' sources and from what nodes print. Kubernetes with containerd, and podman, make them
// anew in tests/cluster and tests/java/podman_test.cpp.

#include "agent/container/cgroup_name.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace manometer::container {
namespace {

const std::string kId = "286b15051ec43375190802e1f40562536980a8fd97e75bb89c7f2eec6f995f17";
const std::string kOuter = "3350ade4226f0adcd9e4e9545d7c2a16a5aa362d12315f2a88e2024cea1246cf";
const std::string kUid = "a3b200c9-db51-40b4-9d2d-53f8fdf80d7f";
const std::string kEscaped = "a3b200c9_db51_40b4_9d2d_53f8fdf80d7f";
const std::string kHash = "48ea6dbad93797db01928fb7884b8154";  // a static pod's

struct Row {
  std::string path;
  std::string uid;         // empty: in no pod
  std::string id;          // empty: no container
  std::string label = {};  // empty: the last part
};

std::ostream& operator<<(std::ostream& out, const Row& row) {
  return out << row.path;
}

class CgroupNameTest : public testing::TestWithParam<Row> {};

TEST_P(CgroupNameTest, SaysWhoIsInIt) {
  const Row& row = GetParam();
  const CgroupName name = parse_cgroup_name(row.path);
  EXPECT_EQ(name.pod_uid.value_or(""), row.uid);
  EXPECT_EQ(name.container_id.value_or(""), row.id);
  EXPECT_EQ(name.label, row.label.empty() ? row.path.substr(row.path.rfind('/') + 1) : row.label);
}

std::string slice(const std::string& qos, const std::string& uid, const std::string& root = "") {
  const std::string above = qos.empty() ? "" : fmt::format("/{}kubepods-{}.slice", root, qos);
  return fmt::format("/{0}kubepods.slice{1}/{0}kubepods-{2}pod{3}.slice", root, above, qos.empty() ? "" : qos + '-',
                     uid);
}

INSTANTIATE_TEST_SUITE_P(
    SystemdDriver, CgroupNameTest,
    testing::Values(Row{slice("", kEscaped) + "/cri-containerd-" + kId + ".scope", kUid, kId},
                    Row{slice("burstable", kEscaped) + "/cri-containerd-" + kId + ".scope", kUid, kId},
                    Row{slice("besteffort", kEscaped) + "/cri-containerd-" + kId + ".scope", kUid, kId},
                    Row{slice("burstable", kHash) + "/cri-containerd-" + kId + ".scope", kHash, kId},
                    Row{slice("burstable", "etcd_of_mine") + "/crio-" + kId + ".scope", "etcd-of-mine", kId},
                    Row{slice("burstable", kEscaped) + "/crio-" + kId + ".scope", kUid, kId},
                    Row{slice("burstable", kEscaped) + "/docker-" + kId + ".scope", kUid, kId},
                    // Kubernetes before 1.10 did not escape.
                    Row{slice("burstable", kUid) + "/docker-" + kId + ".scope", kUid, kId}));

INSTANTIATE_TEST_SUITE_P(CgroupfsDriver, CgroupNameTest,
                         testing::Values(Row{"/kubepods/pod" + kUid + "/" + kId, kUid, kId},
                                         Row{"/kubepods/burstable/pod" + kUid + "/" + kId, kUid, kId},
                                         Row{"/kubepods/besteffort/pod" + kUid + "/" + kId, kUid, kId},
                                         Row{"/kubepods/burstable/pod" + kHash + "/" + kId, kHash, kId},
                                         Row{"/kubepods/burstable/podetcd-of-mine/" + kId, "etcd-of-mine", kId},
                                         Row{"/kubepods/burstable/pod" + kUid + "/crio-" + kId, kUid, kId}));

// The kubelet's driver is systemd, the runtime's is not.
INSTANTIATE_TEST_SUITE_P(MixedDrivers, CgroupNameTest,
                         testing::Values(Row{"/system.slice/containerd.service/kubepods-burstable-pod" + kEscaped +
                                                 ".slice:cri-containerd:" + kId,
                                             kUid, kId},
                                         Row{"/kubepods-besteffort-pod" + kEscaped + ".slice:cri-containerd:" + kId,
                                             kUid, kId},
                                         Row{"/kubepods-pod" + kEscaped + ".slice:cri-containerd:" + kId, kUid, kId}));

INSTANTIATE_TEST_SUITE_P(Kind, CgroupNameTest,
                         testing::Values(Row{"/kubelet/kubepods/burstable/pod" + kUid + "/" + kId, kUid, kId},
                                         Row{"/kubelet/kubepods/pod" + kHash + "/" + kId, kHash, kId},
                                         Row{slice("besteffort", kEscaped, "kubelet-").insert(0, "/kubelet.slice") +
                                                 "/cri-containerd-" + kId + ".scope",
                                             kUid, kId},
                                         Row{"/docker/" + kOuter + "/kubelet/kubepods/burstable/pod" + kUid + "/" + kId,
                                             kUid, kId},
                                         Row{"/system.slice/docker-" + kOuter + ".scope/kubelet.slice" +
                                                 slice("", kEscaped, "kubelet-") + "/cri-containerd-" + kId + ".scope",
                                             kUid, kId},
                                         Row{"/docker/" + kOuter + "/system.slice/containerd.service", "", ""}));

INSTANTIATE_TEST_SUITE_P(
    OutsideOurNamespace, CgroupNameTest,
    testing::Values(Row{"/../../pod" + kUid + "/" + kId, kUid, kId}, Row{"/../pod" + kHash + "/" + kId, kHash, kId},
                    Row{"/../../kubepods-burstable-pod" + kEscaped + ".slice/cri-containerd-" + kId + ".scope", kUid,
                        kId},
                    Row{"/../crio-" + kId + ".scope", "", kId}));

// Not containers, or not their own cgroup.
INSTANTIATE_TEST_SUITE_P(BesideContainers, CgroupNameTest,
                         testing::Values(Row{slice("burstable", kEscaped), kUid, ""},
                                         Row{slice("burstable", kEscaped) + "/crio-conmon-" + kId + ".scope", kUid, ""},
                                         Row{"/kubepods/burstable/pod" + kUid + "/crio-conmon-" + kId, kUid, ""},
                                         Row{"/machine.slice/libpod-conmon-" + kId + ".scope", "", ""},
                                         Row{"/kubepods.slice/kubepods-burstable.slice", "", ""},
                                         Row{"/kubepods/burstable", "", ""},
                                         Row{"/system.slice/run-containerd-" + kId + "-rootfs.mount", "", ""}));

INSTANTIATE_TEST_SUITE_P(
    BelowAContainer, CgroupNameTest,
    testing::Values(Row{slice("burstable", kEscaped) + "/crio-" + kId + ".scope/container", kUid, kId,
                        "crio-" + kId + ".scope"},
                    Row{"/kubepods/pod" + kUid + "/" + kId + "/system.slice/app.service", kUid, kId, kId},
                    Row{"/kubepods/pod" + kUid + "/" + kId + "/kubepods/pod" + kHash + "/" + kOuter, kUid, kId, kId}));

// As Debian 12's docker 20.10 makes them: cgroupfs on v1 and v2, systemd on v2, and with --cgroup-parent.
INSTANTIATE_TEST_SUITE_P(Docker, CgroupNameTest,
                         testing::Values(Row{"/docker/" + kId, "", kId},
                                         Row{"/system.slice/docker-" + kId + ".scope", "", kId},
                                         Row{"/shop/" + kId, "", kId},
                                         Row{"/shop.slice/shop-web.slice/docker-" + kId + ".scope", "", kId},
                                         Row{"/docker/" + kId + "/app", "", ""}, Row{"/docker/4f5c", "", ""}));

// As Debian 12's podman 4.3 makes them: cgroupfs on v1 and v2, systemd on v2 with runc and with crun, --cgroups=split
// as in a unit; and of conmon, its own process. Then a user's, and a pod's, as in its issues.
INSTANTIATE_TEST_SUITE_P(
    Podman, CgroupNameTest,
    testing::Values(Row{"/libpod_parent/libpod-" + kId, "", kId},
                    Row{"/machine.slice/libpod-" + kId + ".scope", "", kId},
                    Row{"/machine.slice/libpod-" + kId + ".scope/container", "", kId, "libpod-" + kId + ".scope"},
                    Row{"/system.slice/web.service/libpod-payload-" + kId, "", kId},
                    Row{"/libpod_parent/conmon", "", ""}, Row{"/system.slice/web.service/runtime", "", ""},
                    Row{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kId + ".scope", "", kId},
                    Row{"/machine.slice/machine-libpod_pod_" + kOuter + ".slice/libpod-" + kId + ".scope/container", "",
                        kId, "libpod-" + kId + ".scope"},
                    Row{"/machine.slice/machine-libpod_pod_" + kOuter + ".slice", "", ""}));

INSTANTIATE_TEST_SUITE_P(OutsidePods, CgroupNameTest,
                         testing::Values(Row{"/system.slice/nerdctl-" + kId + ".scope", "", kId},
                                         Row{"/default/" + kId, "", kId}, Row{"/system.slice/app.service", "", ""},
                                         Row{"/system.slice/container", "", ""},
                                         Row{"/user.slice/user-1000.slice/session-3.scope", "", ""}));

// What looks like a pod and is none.
INSTANTIATE_TEST_SUITE_P(Lookalikes, CgroupNameTest,
                         testing::Values(Row{"/podcasts/player", "", ""}, Row{"/pod/" + kId, "", kId},
                                         Row{"/kubepods/pod/x", "", ""},
                                         Row{"/my-pod" + kEscaped + ".slice/app.service", "", ""},
                                         Row{"/kubepods-.slice/x", "", ""}, Row{"/kubepods-pod.slice/x", "", ""},
                                         Row{"/.slice", "", ""}, Row{"/.slice-kubepods-pod1", "", ""},
                                         Row{"/kubepods-burstable-pod1", "", ""}, Row{"/a/" + kId.substr(1), "", ""},
                                         Row{"/a/x" + kId, "", ""}, Row{"/pod" + kUid + "0/" + kId, "", kId},
                                         Row{"/pod" + kHash.substr(1) + "g/x", "", ""}));

TEST(CgroupName, OfTheRootIsNone) {
  for (const char* path : {"/", "", "/..", "/../..", "/kubepods/.."}) {
    EXPECT_FALSE(parse_cgroup_name(path).label) << path;
    EXPECT_FALSE(parse_cgroup_name(path).pod_uid) << path;
    EXPECT_EQ(parse_cgroup_name(path).path, path);
  }
}

TEST(CgroupName, IsAboutTheContainersOwnCgroup) {
  const std::string container = slice("burstable", kEscaped) + "/crio-" + kId + ".scope";
  EXPECT_EQ(parse_cgroup_name(container).path, container);
  EXPECT_EQ(parse_cgroup_name(container + "/container").path, container);
  EXPECT_EQ(parse_cgroup_name(container + "/init.scope/").path, container);
  EXPECT_EQ(parse_cgroup_name("/machine.slice/libpod-" + kId + ".scope/container").path,
            "/machine.slice/libpod-" + kId + ".scope/container")
      << "outside of pods any cgroup may be a container";
}

}  // namespace
}  // namespace manometer::container
