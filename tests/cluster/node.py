"""A Kubernetes of one node, made of processes that see the machine's processes and files, but have a network and a
mount namespace of their own: no port, interface, firewall rule or mount is in the other's way.

    tests/cluster/node.py KUBE TOOLS LOGS IMAGE...    as root

KUBE: what fetch-kube built; TOOLS: where fetch-debian unpacked etcd, containerd, runc and the CNI plugins; LOGS: a
directory for what they write; IMAGE: files that images.py wrote. Prints a line of JSON when the node is ready, and ends
with its standard input, however its user ends; then nothing of it is left.
"""

import ctypes
import json
import os
import pathlib
import secrets
import select
import shutil
import signal
import subprocess
import sys
import time

import node_files
from cgroups import Cgroups
from waiting import PATIENCE

PR_SET_CHILD_SUBREAPER = 36


class Unready(Exception):
    pass


class Node:
    def __init__(self, kube, tools, logs):
        self.kube, self.tools, self.logs = kube, tools, logs
        self.cgroups = Cgroups(f"manometer-cluster-{secrets.token_hex(4)}")
        # Not below /var, where it would lie within what node_files.NAMESPACES covers.
        self.state = pathlib.Path("/tmp", self.cgroups.name)
        self.daemons = {}
        self.holder = None

    def start(self, images):
        self.logs.mkdir(parents=True, exist_ok=True)
        self.state.mkdir(mode=0o700)
        self.cgroups.make()
        node_files.write(self.state, self.tools, secrets.token_hex(16), self.cgroups.name)
        self.hold_namespaces()
        self.start_daemon("etcd", [self.tools / "usr/bin/etcd", *node_files.etcd(self.state)])
        self.start_daemon("containerd", [self.tools / "usr/bin/containerd", "--config", self.state / "containerd.toml"])
        self.start_part("kube-apiserver", node_files.apiserver(self.state))
        self.wait_for("containerd", self.ctr("version"))
        for image in images:
            self.run(self.ctr("--namespace=k8s.io", "images", "import", image))
        self.wait_for("kube-apiserver", self.kubectl("get", "--raw=/readyz"))
        self.start_part("kube-controller-manager", node_files.controllers(self.state))
        self.start_part("kube-scheduler", node_files.scheduler(self.state))
        self.start_part("kubelet", node_files.kubelet(self.state))
        ready = ("wait", "--for=condition=Ready", f"node/{node_files.NAME}", "--timeout=5s")
        self.wait_for("kubelet", self.kubectl(*ready))

    def stop(self):
        for child in filter(None, [self.holder, *self.daemons.values()]):
            child.kill()  # it may not have joined its cgroup yet
        self.cgroups.kill()
        while True:  # all of them are our children: we are the nearest subreaper
            try:
                os.wait()
            except ChildProcessError:
                break
        self.cgroups.remove()
        if self.state.exists():
            shutil.rmtree(self.state)

    def hold_namespaces(self):
        """Starts what keeps them; they go with the last process in them, and all that is mounted with them."""
        unshare = ["unshare", "--mount", "--net", "sh", "-c", node_files.NAMESPACES, self.state]
        self.holder = subprocess.Popen(self.cgroups.joining(unshare), stdout=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "ready\n":
            raise Unready("cannot make namespaces")

    def inside(self, *kinds):
        """What makes a command run in our namespaces and among the daemons."""
        spaces = [f"--{kind}=/proc/{self.holder.pid}/ns/{short}" for kind, short in kinds]
        return self.cgroups.joining(["nsenter", *spaces, "--"])

    def everywhere(self, command):
        return [*self.inside(("mount", "mnt"), ("net", "net")), *map(str, command)]

    def start_daemon(self, name, command):
        path = os.pathsep.join(str(self.tools / directory) for directory in ("usr/bin", "usr/sbin"))
        environment = {"PATH": f"{path}{os.pathsep}{os.environ['PATH']}", "HOME": str(self.state)}
        with open(self.logs / f"{name}.log", "w", encoding="utf-8") as log:
            self.daemons[name] = subprocess.Popen(self.everywhere(command), env=environment, stdin=subprocess.DEVNULL,
                                                  stdout=log, stderr=log)

    def start_part(self, name, arguments):
        self.start_daemon(name, [self.kube, name, *arguments])

    def ctr(self, *arguments):
        return self.everywhere([self.tools / "usr/bin/ctr", f"--address={self.state}/containerd.sock", *arguments])

    def kubectl(self, *arguments):
        return self.everywhere([self.kube, "kubectl", f"--kubeconfig={self.state}/kubeconfig", *arguments])

    def run(self, command):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unready(f"{' '.join(command)}: {done.stderr}")

    def wait_for(self, name, command):
        """Until the command succeeds, which asks the daemon."""
        deadline = time.monotonic() + PATIENCE
        while subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode != 0:
            if self.daemons[name].poll() is not None:
                raise Unready(f"{name} has ended: see {self.logs}/{name}.log")
            if time.monotonic() > deadline:
                raise Unready(f"{name} does not get ready: see {self.logs}/{name}.log")
            if select.select([sys.stdin], [], [], 0.1)[0]:
                raise Unready("nobody wants it any more")

    def describe(self):
        """For whoever uses it."""
        return {"inside": self.inside(("net", "net")), "kubeconfig": f"{self.state}/kubeconfig",
                "kubectl": [self.kube, "kubectl"], "static_pods": f"{self.state}/manifests",
                "cgroups": str(self.cgroups.roots[0])}


def main(kube, tools, logs, *images):
    # Ctrl-C is for the user of ours, who then lets go of our standard input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # What a shim leaves behind becomes our child, for us to see it end.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    node = Node(kube, pathlib.Path(tools), pathlib.Path(logs))
    try:
        node.start(images)
        print(json.dumps(node.describe()), flush=True)
        sys.stdin.read()
    except Unready as why:
        print(f"node: {why}", file=sys.stderr)
        return 1
    finally:
        node.stop()
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__.strip())
    sys.exit(main(*sys.argv[1:]))
