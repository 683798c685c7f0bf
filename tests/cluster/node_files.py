"""What the parts of a node are told: their configuration files and command lines."""

import json
import pathlib
import subprocess

from cgroups import DRIVER
from images import PAUSE

NAME = "node-1"
ADDRESS = "10.89.0.1"  # the node's, which is its bridge's
PODS = "10.89.0.0/24"
API = "https://127.0.0.1:6443"
ETCD = "http://127.0.0.1:2379"

# What a kubelet sets on a node of its own. Ours finds it set, in files that only it sees.
SYSCTLS = {"vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
           "kernel/keys/root_maxkeys": 1000000, "kernel/keys/root_maxbytes": 25000000}

# Run by sh in the new namespaces, with the state folder as $0. /var is as it was, but what Kubernetes writes there
# (logs, leases of addresses) stays in the state folder; /run begins empty, but for what leads to a systemd that is asked.
NAMESPACES = """
set -e
mount -t overlay overlay -o "lowerdir=/var,upperdir=$0/var,workdir=$0/var-work" /var
mount -t tmpfs -o mode=755 tmpfs "$0/run"
if [ """ + DRIVER + """ = systemd ]; then
  mkdir "$0/run/systemd"
  mount --bind /run/systemd "$0/run/systemd"
fi
mount --no-mtab --move "$0/run" /run
(cd "$0/sysctls" && find . -type f) | while read -r file; do mount --bind "$0/sysctls/$file" "/proc/sys/$file"; done
ip link set lo up
ip link add cni0 type bridge
ip address add """ + ADDRESS + """/24 dev cni0
ip link set cni0 up
echo ready
exec sleep infinity
"""

CONTAINERD = """
version = 2
root = "{state}/containerd"
state = "/run/containerd"
[grpc]
  address = "{state}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{state}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true  # as is needed where even root may not lower it
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{tools}/usr/lib/cni"
    conf_dir = "{state}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = {systemd}
"""


def kubeconfig(token):
    return {"apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": API, "insecure-skip-tls-verify": True}}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}]}


def network():
    """No masquerading: pods talk to the node and to each other only."""
    addresses = {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}


def kubelet_configuration(state, cgroup):
    return {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "cgroupRoot": f"/{cgroup}", "cgroupDriver": DRIVER, "failCgroupV1": False, "failSwapOn": False,
            # Else it insists on rights that root has not everywhere.
            "featureGates": {"KubeletInUserNamespace": True},
            "containerRuntimeEndpoint": f"unix://{state}/containerd.sock", "resolvConf": "",
            "staticPodPath": f"{state}/manifests", "fileCheckFrequency": "1s",
            "volumePluginDir": f"{state}/volume-plugins", "makeIPTablesUtilChains": False,
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            # The machine's disk may be as full as it likes.
            "evictionHard": {"nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"},
            "imageGCHighThresholdPercent": 100}


def write(state, tools, token, cgroup):
    for directory in ("cni", "etcd", "kubelet", "manifests", "pki", "run", "var", "var-work"):
        (state / directory).mkdir()
    for name, value in SYSCTLS.items():
        file = state / "sysctls" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if pathlib.Path("/proc/sys", name).exists():
            file.write_text(f"{value}\n")
    (state / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    (state / "kubeconfig").write_text(json.dumps(kubeconfig(token)))
    (state / "kubelet.json").write_text(json.dumps(kubelet_configuration(state, cgroup)))
    (state / "cni" / "pods.conflist").write_text(json.dumps(network()))
    subprocess.run(["openssl", "genrsa", "-out", state / "pki" / "accounts.key"], check=True, capture_output=True)
    systemd = json.dumps(DRIVER == "systemd")
    (state / "containerd.toml").write_text(CONTAINERD.format(state=state, tools=tools, pause=PAUSE, systemd=systemd))


def etcd(state):
    peers = ETCD.replace("2379", "2380")
    return [f"--data-dir={state}/etcd", f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}",
            f"--listen-peer-urls={peers}", "--unsafe-no-fsync"]


def apiserver(state):
    key = f"{state}/pki/accounts.key"
    return [f"--etcd-servers={ETCD}", "--bind-address=127.0.0.1", "--secure-port=6443",
            "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", f"--cert-dir={state}/pki",
            "--service-cluster-ip-range=10.96.0.0/16", "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            f"--token-auth-file={state}/tokens.csv", "--authorization-mode=RBAC", "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP"]


def controllers(state):
    return [f"--kubeconfig={state}/kubeconfig", "--leader-elect=false",
            f"--service-account-private-key-file={state}/pki/accounts.key", f"--cert-dir={state}/pki"]


def scheduler(state):
    return [f"--kubeconfig={state}/kubeconfig", "--leader-elect=false", f"--cert-dir={state}/pki"]


def kubelet(state):
    return [f"--kubeconfig={state}/kubeconfig", f"--config={state}/kubelet.json", f"--root-dir={state}/kubelet",
            f"--cert-dir={state}/pki", f"--hostname-override={NAME}", f"--node-ip={ADDRESS}"]
