"""A node made of files with any number of JVMs, as large as those of a Kubernetes node: for `manometer run --host-proc
DIR/proc --host-cgroup DIR/cgroup`. tests/support/fake_node.h is the tests' own; this one needs no compiler."""

import os
import pathlib
import struct

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "perf_data"
COLLECTORS = ("17-g1", "17-parallel", "17-serial", "21-generational-zgc", "17-shenandoah")
# Above the kernel's highest pid, 4194304: no event of a real process is about one of ours.
FIRST_PID = 5_000_000
REGION = "7f2000000000-7f2000008000"
MAPPINGS_BESIDE = 160  # an idle JDK 17 has 166 in all


def entry(name, kind, value):
    """One entry of performance data (agent/jvm/hsperf.cpp)."""
    encoded = name.encode() + b"\0"
    data = struct.pack("<q", int(value)) if kind == "J" else value.encode().ljust(int(kind[2:-1]), b"\0")
    data_at = (20 + len(encoded) + 7) // 8 * 8
    length = (data_at + len(data) + 7) // 8 * 8
    vector = 0 if kind == "J" else len(data)
    header = struct.pack("<IIIBBBBI", length, 20, vector, ord(kind[0]), 0, 1, 3, data_at)
    return (header + encoded).ljust(data_at, b"\0") + data.ljust(length - data_at, b"\0")


def perf_data(fixture):
    lines = (FIXTURES / f"{fixture}.txt").read_text().splitlines()
    entries = [entry(*line.split("\t", 2)) for line in lines if not line.startswith("#")]
    body = b"".join(entries)
    header = b"\xca\xfe\xc0\xc0" + struct.pack("<BBBBiiqii", 1, 2, 0, 1, 32 + len(body), 0, 0, 32, len(entries))
    return (header + body).ljust(32768, b"\0")


def maps(inode):
    lines = [f"7f{i:02x}00000000-7f{i:02x}00200000 r-xp 00000000 08:01 {i} /usr/lib/x86_64-linux-gnu/lib{i}.so"
             for i in range(0x20, 0x20 + MAPPINGS_BESIDE)]
    lines.append("7f1000000000-7f1000251000 r--p 00000000 08:01 77 /usr/lib/jvm/java-17/lib/server/libjvm.so")
    lines.append(f"{REGION} rw-s 00000000 08:01 {inode} /tmp/hsperfdata_app/1")
    return "\n".join(lines) + "\n"


def add_cgroup(root, path):
    directory = root / path
    directory.mkdir(parents=True)
    keys = ["anon 500000000", "kernel 10000000", "shmem 1000", "inactive_file 90000000"]
    keys += [f"other_{i} {i * 4096}" for i in range(44)]  # memory.stat of a 6.1 kernel has 48 lines
    files = {"cgroup.procs": "", "memory.max": "1073741824\n", "memory.current": "700000000\n",
             "memory.stat": "\n".join(keys) + "\n",
             "memory.events": "low 0\nhigh 2\nmax 3\noom 0\noom_kill 0\n",
             "memory.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n"
                                "full avg10=0.00 avg60=0.00 avg300=0.00 total=500000\n"}
    for name, content in files.items():
        (directory / name).write_text(content)


def add_jvm(root, number):
    """A JVM in a pod's container of its own."""
    pid = FIRST_PID + number
    cgroup = (f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{number:08x}_0000_4000_8000_000000000000"
              f".slice/cri-containerd-{number:064x}.scope")
    add_cgroup(root / "cgroup", cgroup)
    process = root / "proc" / str(pid)
    mapped = process / "map_files" / REGION
    mapped.parent.mkdir(parents=True)
    mapped.write_bytes(perf_data(COLLECTORS[number % len(COLLECTORS)]))
    files = {"stat": f"{pid} (java) S 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 30 0 100 0 0\n",
             "status": f"Name:\tjava\nNSpid:\t{pid}\t1\n", "cgroup": f"0::/{cgroup}\n",
             "maps": maps(os.stat(mapped).st_ino)}
    for name, content in files.items():
        (process / name).write_text(content)


def make(root, jvms):
    """Returns the agent's arguments for it."""
    (root / "proc").mkdir(parents=True)
    (root / "cgroup").mkdir()
    (root / "cgroup" / "cgroup.controllers").write_text("memory\n")
    for number in range(jvms):
        add_jvm(root, number)
    return ["--host-proc", str(root / "proc"), "--host-cgroup", str(root / "cgroup")]
