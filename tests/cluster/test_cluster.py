"""Whose JVM is it? In a real cluster the agent's series carry the names that Kubernetes has for the container."""

import os
import pathlib
import re

import pytest

from cgroups import DRIVER
from kube_api import Refused
from waiting import wait_for
from world import COUNT, HEAP_MAX, MIB, values

HEAP_USED = "manometer_jvm_heap_used_bytes"
LIMIT = "manometer_container_memory_limit_bytes"
OOM_KILLS = "manometer_container_oom_kills_total"  # kept on purpose when the container is gone
# Kubernetes allows it for pods. A namespace's has no dots and 63 characters at most.
LONGEST_POD_NAME = 253

KINDS = ("one of two containers", "other of two containers", "one of two pods", "other of two pods",
         "dots in its name", "the longest name", "static pod")


def skip(reason):
    """The only way to skip here."""
    if os.environ.get("MANOMETER_FORBID_SKIP") == "1":
        pytest.fail(f"must run here, but would skip: {reason}")
    pytest.skip(reason)


def of_kind(services, kind):
    if kind not in services:
        skip(f"a {kind} needs the folder that the kubelet reads: MANOMETER_TEST_STATIC_PODS")
    return services[kind]


def kernel(world, node):
    version = world.api.get(f"/api/v1/nodes/{node}")["status"]["nodeInfo"]["kernelVersion"]
    return tuple(map(int, re.match(r"(\d+)\.(\d+)", version).groups()))


@pytest.mark.parametrize("probe", ["process", "memory", "request", "gc"])
def test_probe_works_unprivileged(world, services, probe):
    for node in world.agents:
        works = probe != "gc" or kernel(world, node) >= (6, 6)  # before, it takes SYS_ADMIN
        assert values(world.scrape(node), "manometer_probe_attached", {"probe": probe}) == [works]


@pytest.mark.parametrize("kind", KINDS)
def test_requests_have_its_names(traffic, services, kind):
    sent, counted = traffic[of_kind(services, kind)]
    assert counted == sent


@pytest.mark.parametrize("kind", KINDS)
def test_jvm_and_memory_have_its_names(world, services, kind):
    service = of_kind(services, kind)
    samples = world.samples(service)
    assert values(samples, HEAP_MAX, service.labels) == [service.heap_mb * MIB]
    used, = values(samples, HEAP_USED, service.labels)
    assert 0 < used <= service.heap_mb * MIB
    assert values(samples, LIMIT, service.labels) == [service.limit_mb * MIB]


@pytest.mark.parametrize("kind", KINDS)
def test_series_differ_in_no_other_label(world, services, kind):
    service = of_kind(services, kind)
    whose = {"namespace", "pod", "container", "pid"}
    samples = [sample for sample in world.samples(service) if sample.is_of(service.labels)]
    for name in (COUNT, HEAP_USED):
        targets = [{label: value for label, value in sample.labels.items() if label in whose}
                   for sample in samples if sample.name == name]
        assert all(target == {**service.labels, "pid": "1"} for target in targets) and targets


def test_cgroups_are_of_the_driver(services):
    """In the cluster made here: the names above are of the kind of cgroups that was asked for."""
    if not (directory := os.environ.get("MANOMETER_TEST_CGROUPS")):
        skip("the cgroups of a cluster elsewhere are not for us to see")
    scopes = list(pathlib.Path(directory).rglob("*-kubepods-burstable-pod*.slice/cri-containerd-*.scope"))
    assert bool(scopes) == (DRIVER == "systemd")


def restarts(world, service):
    """How often it was; None while it does not run."""
    status, = world.api.get(service.path)["status"]["containerStatuses"]
    return status["restartCount"] if "running" in status["state"] else None


def test_restarted_container_starts_at_zero(world, services):
    service = world.service("restarted")
    world.start_pod(service)
    world.wait_until_watched(service)
    for _ in range(50):
        world.request(service)
    before = world.counted(service)
    assert before > 50

    world.request(service, "halt")
    sent_to_old = service.sent
    wait_for("the restart", lambda: restarts(world, service))
    world.wait_until_watched(service)
    assert 0 < world.counted(service) <= service.sent - sent_to_old < before


def test_deleted_pod_leaves_no_series(world, services):
    service = world.service("deleted")
    world.start_pod(service)
    world.wait_until_watched(service)
    node = world.api.get(service.path)["spec"]["nodeName"]
    world.api.delete(service.path)
    left = {sample.name for sample in world.scrape(node) if sample.is_of(service.labels)}
    assert left <= {OOM_KILLS}


def test_name_too_long_for_a_kubelet(world):
    """Kubernetes takes it, but no kubelet can make the directory of its logs: there is nothing to name."""
    service = world.service("n" * LONGEST_POD_NAME)
    world.start_pod(service)
    events = f"{world.path}/events?fieldSelector=involvedObject.name={service.pod}"
    wait_for("the kubelet's refusal",
             lambda: any("file name too long" in event["message"] for event in world.api.get(events)["items"]))
    world.api.delete(service.path)


def test_namespace_with_dots_is_refused(world):
    with pytest.raises(Refused, match="must not contain dots"):
        world.api.create("/api/v1/namespaces", {"metadata": {"name": "with.dots"}})


def test_no_series_was_ever_of_the_wrong_container(world, services):
    """In none of the scrapes of all tests before, nor in this one."""
    for node in world.agents:
        world.scrape(node)
    assert world.looked > 0
    assert sorted(world.wrong) == []
