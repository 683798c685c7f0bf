"""A cgroup of our own in each hierarchy of the machine, and everything that runs below it."""

import os
import pathlib
import signal
import time

from waiting import PATIENCE

# Who makes the containers' cgroups: the kubelet and containerd themselves, or systemd when they ask it.
DRIVER = os.environ.get("MANOMETER_CGROUP_DRIVER", "cgroupfs")
KUBELETS = {"cpu", "cpuset", "memory", "hugetlb", "pids"}  # the controllers it insists on where the kernel has them


def hierarchies():
    """Directories, the cgroup2 tree's first."""
    mounts = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    found = [(kind != "cgroup2", directory) for _, directory, kind, *_ in mounts if kind in ("cgroup", "cgroup2")]
    return [pathlib.Path(directory) for _, directory in sorted(found)]


def controllers(directory, file):
    path = directory / f"cgroup.{file}"
    return set(path.read_text().split()) if path.exists() else set()


def switch(directory, sign, names):
    for name in sorted(names):
        (directory / "cgroup.subtree_control").write_text(sign + name)


class Cgroups:
    def __init__(self, name):
        self.name = name
        # The kubelet's name for it where systemd, to which "-" means a level, has it as a slice.
        directory = f"{name.replace('-', '_')}.slice" if DRIVER == "systemd" else name
        self.roots = [hierarchy / directory for hierarchy in hierarchies()]
        # Beside the containers: a cgroup2 that hands out controllers may hold no processes itself.
        self.daemons = self.roots[0] / "daemons"
        # Of version 2 we get only the controllers that the top hands down.
        self.top = self.roots[0].parent
        self.handed_down = controllers(self.top, "subtree_control")

    def make(self):
        switch(self.top, "+", (KUBELETS & controllers(self.top, "controllers")) - self.handed_down)
        for root in self.roots:
            root.mkdir()
        self.daemons.mkdir()

    def joining(self, command):
        """The command, which starts as one of the daemons."""
        return ["sh", "-c", 'echo 0 > "$0" && exec "$@"', str(self.daemons / "cgroup.procs"), *command]

    def pids(self):
        found = set()
        for root in self.roots:
            for members in root.rglob("cgroup.procs"):
                try:
                    found.update(int(pid) for pid in members.read_text().split())
                except OSError:
                    pass  # it went meanwhile, as a container does that has ended
        return found

    def kill(self):
        """Ends all that runs in them, and what that starts meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while pids := self.pids():
            if time.monotonic() > deadline:
                raise TimeoutError(f"still there: {sorted(pids)}")
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.01)

    def remove(self):
        deadline = time.monotonic() + PATIENCE
        for root in self.roots:
            while root.exists():
                for directory, _, _ in os.walk(root, topdown=False):
                    try:
                        os.rmdir(directory)
                    except OSError:
                        if time.monotonic() > deadline:
                            raise
                time.sleep(0.01)
        try:  # runc has the top hand down all that it can
            switch(self.top, "-", controllers(self.top, "subtree_control") - self.handed_down)
        except OSError:
            pass  # somebody else needs it by now
