"""What the tests have the cluster run."""

import os

import images

AGENT_IMAGE = os.environ.get("MANOMETER_TEST_AGENT_IMAGE", images.AGENT)
JAVA_IMAGE = os.environ.get("MANOMETER_TEST_JAVA_IMAGE", images.JAVA)
AGENT_PORT = 9435
CAPABILITIES = ["BPF", "PERFMON", "NET_ADMIN", "SYS_PTRACE", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH"]


def pull_policy(image):
    """Ours come from no registry."""
    return "Never" if image.startswith("localhost/") else "IfNotPresent"


def host_directory(name, path):
    return {"name": name, "hostPath": {"path": path, "type": "Directory"}}


def read_only(name, path):
    return {"name": name, "mountPath": path, "readOnly": True, "recursiveReadOnly": "IfPossible"}


def agent():
    """As design section 5 has it: of the node it sees processes, cgroups and the names of pods' logs."""
    container = {
        "name": "manometer", "image": AGENT_IMAGE, "imagePullPolicy": pull_policy(AGENT_IMAGE),
        "args": ["run", f"--listen=0.0.0.0:{AGENT_PORT}", "--host-cgroup=/host/cgroup"],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": AGENT_PORT}, "periodSeconds": 1},
        "securityContext": {"privileged": False, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"], "add": CAPABILITIES},
                            # Of runtimes' default profiles one keeps it from reading other processes, one from bpf().
                            "appArmorProfile": {"type": "Unconfined"}, "seccompProfile": {"type": "Unconfined"}},
        "resources": {"limits": {"memory": "64Mi"}},
        "volumeMounts": [read_only("cgroup", "/host/cgroup"), read_only("logs", "/var/log")],
    }
    pod = {"hostPID": True, "automountServiceAccountToken": False, "containers": [container],
           "tolerations": [{"operator": "Exists"}], "terminationGracePeriodSeconds": 1,
           "volumes": [host_directory("cgroup", "/sys/fs/cgroup"), host_directory("logs", "/var/log")]}
    labels = {"app": "manometer"}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "manometer"},
            "spec": {"selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels}, "spec": pod}}}


def java_container(service):
    return {"name": service.container, "image": JAVA_IMAGE, "imagePullPolicy": pull_policy(JAVA_IMAGE),
            "args": ["-XX:+UseG1GC", f"-Xmx{service.heap_mb}m", "-Dsun.net.httpserver.nodelay=true", "-cp", "/app",
                     "Service", str(service.port)],
            "resources": {"requests": {"cpu": "1m"}, "limits": {"memory": f"{service.limit_mb}Mi"}}}


def java_pod(services):
    """One with all of them."""
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": services[0].pod, "namespace": services[0].namespace},
            "spec": {"automountServiceAccountToken": False, "enableServiceLinks": False,
                     "terminationGracePeriodSeconds": 1,
                     "containers": [java_container(service) for service in services]}}
