"""Images of containers without a registry or a daemon, each one layer of files that this machine has.

    tests/cluster/images.py AGENT_BINARY DIRECTORY    writes pause.tar, agent.tar and java.tar, as `docker load`,
                                                      `kind load image-archive` and `ctr images import` take them
"""

import hashlib
import io
import json
import pathlib
import platform
import re
import subprocess
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PAUSE, AGENT, JAVA = (f"localhost/manometer-test-{name}:1" for name in ("pause", "agent", "java"))
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
JDK = pathlib.Path(f"/usr/lib/jvm/java-17-openjdk-{ARCHITECTURE}/bin")

# Holds a pod's namespaces, and reaps what is left to it where containers share the pod's processes.
PAUSE_SOURCE = r"""
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int number) { (void)number; _exit(0); }
static void reap(int number) { (void)number; while (waitpid(-1, NULL, WNOHANG) > 0) {} }
int main(void) {
  signal(SIGTERM, end);
  signal(SIGINT, end);
  signal(SIGCHLD, reap);
  for (;;) pause();
}
"""


def libraries(binaries):
    """What the dynamic linker maps for them, itself included, outside of their own directories."""
    listed = subprocess.run(["ldd", *binaries], check=True, capture_output=True, text=True).stdout
    own = {binary.name for binary in binaries}
    paths = set(re.findall(r"^\s(?:\S+ => )?(/\S+) \(0x", listed, re.MULTILINE))
    return {path: pathlib.Path(path) for path in sorted(paths) if pathlib.Path(path).name not in own}


def as_of_root(member):
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode |= 0o444 | (0o111 if member.isdir() else 0)
    return member


def layer_of(files):
    """files: path inside -> path here, of a file or a whole directory."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", dereference=True) as archive:
        scratch = tarfile.TarInfo("tmp")
        scratch.type, scratch.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(scratch)
        for inside, here in files.items():
            archive.add(here, inside.lstrip("/"), filter=as_of_root)
    return layer.getvalue()


def write_image(path, reference, files, entrypoint):
    """In the format of `docker save`."""
    layer = layer_of(files)
    layer_hash = hashlib.sha256(layer).hexdigest()
    config = json.dumps({"architecture": ARCHITECTURE, "os": "linux", "config": {"Entrypoint": entrypoint},
                         "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_hash}"]}}).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    layer_name = f"{layer_hash}/layer.tar"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [reference], "Layers": [layer_name]}]).encode()
    with tarfile.open(path, "w") as archive:
        for name, data in ((config_name, config), (layer_name, layer), ("manifest.json", manifest)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def make_pause(directory, scratch):
    source, binary = scratch / "pause.c", scratch / "pause"
    source.write_text(PAUSE_SOURCE)
    subprocess.run(["gcc", "-static", "-Os", "-o", binary, source], check=True)
    write_image(directory / "pause.tar", PAUSE, {"/pause": binary}, ["/pause"])


def make_agent(directory, binary):
    files = {"/usr/bin/manometer": binary, **libraries([binary])}
    write_image(directory / "agent.tar", AGENT, files, ["/usr/bin/manometer"])


def make_java(directory, scratch):
    runtime, classes = scratch / "runtime", scratch / "classes"
    subprocess.run([JDK / "jlink", "--add-modules", "jdk.httpserver", "--output", runtime], check=True)
    subprocess.run([JDK / "javac", "-d", classes, HERE / "Service.java"], check=True)
    users = scratch / "passwd"
    users.write_text("root:x:0:0::/:\n")  # without a user name HotSpot writes no performance data
    files = {"/opt/java": runtime, "/app": classes, "/etc/passwd": users,
             **libraries([runtime / "bin" / "java", *runtime.rglob("*.so")])}
    write_image(directory / "java.tar", JAVA, files, ["/opt/java/bin/java"])


def make_images(agent_binary, directory):
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        make_pause(directory, pathlib.Path(scratch))
        make_agent(directory, agent_binary)
        make_java(directory, pathlib.Path(scratch))
    return sorted(directory.glob("*.tar"))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    print(*make_images(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])), sep="\n")
