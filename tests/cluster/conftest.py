"""The cluster of KUBECONFIG, with services and agents that are there for the whole run."""

import json
import os
import pathlib
import shlex
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent / "support")]

import pytest

import manifests
from kube_api import Api
from waiting import wait_for
from world import World, send_together

# A kubelet makes a directory NAMESPACE_POD_UID for a pod's logs, and Linux takes 255 bytes for its name.
NAME_MAX, UID_LENGTH = 255, 36


@pytest.fixture(scope="session")
def world():
    with Api(shlex.split(os.environ.get("MANOMETER_TEST_KUBECTL", "kubectl"))) as api, World(api) as world:
        yield world


def start_static_pod(world, directory, at_end):
    """From a file in the kubelet's folder, which shows it to the API under a name of its own."""
    service = world.service("static")
    pod = json.dumps(manifests.java_pod([service]))
    node, = world.agents
    service.pod += f"-{node}"
    file = pathlib.Path(directory, f"{world.namespace}.json")
    file.write_text(pod)
    at_end(file.unlink)
    wait_for("the static pod to be shown", lambda: world.api.get(service.path))
    return service


@pytest.fixture(scope="session")
def services(world, request):
    """By what is special about them; all watched."""
    longest = "l" * (NAME_MAX - len(f"{world.namespace}__") - UID_LENGTH)
    services = {"one of two containers": world.service("pair", "front", 8080),
                "other of two containers": world.service("pair", "back", 8081)}
    pair = list(services.values())
    wait_for("the namespace's account", lambda: world.api.get(f"{world.path}/serviceaccounts/default"))
    world.start_pod(*pair)
    for service in pair:
        world.wait_until_served(service)
    world.start_agents()  # these find a pod and see others come
    for kind, name in {"one of two pods": "twin-1", "other of two pods": "twin-2", "dots in its name":
                       "v1.0.web.example.com", "the longest name": longest}.items():
        services[kind] = world.service(name)
        world.start_pod(services[kind])
    if directory := os.environ.get("MANOMETER_TEST_STATIC_PODS"):
        services["static pod"] = start_static_pod(world, directory, request.addfinalizer)
    for service in services.values():
        world.wait_until_watched(service)
    return services


@pytest.fixture(scope="session")
def traffic(world, services):
    """How many requests each was sent and how many were counted, while all were under load."""
    counts = {service: 40 + 7 * i for i, service in enumerate(services.values())}
    before = {service: world.counted(service) for service in counts}
    send_together(world, counts)
    return {service: (count, world.counted(service) - before[service]) for service, count in counts.items()}
