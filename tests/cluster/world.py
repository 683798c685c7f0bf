"""JVMs in pods, an agent on each node, and what those say of them."""

import dataclasses
import itertools
import secrets
import threading

import manifests
from agent import parse_sample
from kube_api import Refused
from waiting import wait_for

COUNT = "manometer_http_request_duration_seconds_count"
HEAP_MAX = "manometer_jvm_heap_max_bytes"
MIB = 1 << 20

_heaps_mb = itertools.count(74, 2)  # G1 rounds up to two; other JVMs of the node have rounder ones


@dataclasses.dataclass(eq=False)
class Service:
    """A container with a JVM that serves HTTP."""
    namespace: str
    pod: str
    container: str = "web"
    port: int = 8080
    # Each its own: that tells JVMs apart, whatever their labels say.
    heap_mb: int = dataclasses.field(default_factory=lambda: next(_heaps_mb))
    sent: int = 0  # requests

    @property
    def limit_mb(self):
        return 80 + self.heap_mb

    @property
    def labels(self):
        return {"namespace": self.namespace, "pod": self.pod, "container": self.container}

    @property
    def path(self):
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}"


@dataclasses.dataclass
class Sample:
    name: str
    labels: dict
    value: float

    def is_of(self, labels):
        return labels.items() <= self.labels.items()


def values(samples, name, labels):
    return [sample.value for sample in samples if sample.name == name and sample.is_of(labels)]


class World:
    """A namespace with all of it, which goes with the `with` block."""

    def __init__(self, api):
        self.api = api
        self.namespace = f"manometer-test-{secrets.token_hex(3)}"
        self.path = f"/api/v1/namespaces/{self.namespace}"
        self.services = []
        self.agents = {}  # their pods' paths, by node
        self.wrong = set()  # what was ever wrong with a series
        self.looked = 0  # scrapes
        self.stopped = threading.Event()
        self.scraper = threading.Thread(target=self.scrape_all_the_time, daemon=True)

    def __enter__(self):
        enforce = {"pod-security.kubernetes.io/enforce": "privileged"}  # hostPID and hostPath are
        self.api.create("/api/v1/namespaces", {"metadata": {"name": self.namespace, "labels": enforce}})
        return self

    def __exit__(self, *_):
        self.stopped.set()
        if self.scraper.ident:
            self.scraper.join()
        self.api.delete(self.path)

    def start_agents(self):
        daemons = f"/apis/apps/v1/namespaces/{self.namespace}/daemonsets"
        self.api.create(daemons, manifests.agent())
        wait_for("an agent on each node", lambda: are_ready(self.api.get(f"{daemons}/manometer")["status"]))
        for pod in self.api.get(f"{self.path}/pods?labelSelector=app=manometer")["items"]:
            self.agents[pod["spec"]["nodeName"]] = f"{self.path}/pods/{pod['metadata']['name']}"
        self.scraper.start()

    def service(self, *arguments):
        self.services.append(Service(self.namespace, *arguments))
        return self.services[-1]

    def start_pod(self, *services):
        self.api.create(f"{self.path}/pods", manifests.java_pod(services))

    def request(self, service, path=""):
        """Whether it was answered."""
        service.sent += 1
        try:
            self.api.request("GET", f"{service.path}:{service.port}/proxy/{path}")
            return True
        except Refused:
            return False

    def metrics(self, node):
        return self.api.request("GET", f"{self.agents[node]}:{manifests.AGENT_PORT}/proxy/metrics")

    def scrape(self, node):
        """What is so now: the agent may repeat what it said a moment ago, but no two of its looks take equally long."""
        old = self.metrics(node)
        text = wait_for("another look of the agent", lambda: (new := self.metrics(node)) != old and new)
        samples = [Sample(*parse_sample(line)) for line in text.splitlines() if not line.startswith("#")]
        self.look_for_wrong(samples)
        return samples

    def scrape_all_the_time(self):
        try:
            while not self.stopped.is_set():
                for node in self.agents:
                    self.scrape(node)
        except (Refused, TimeoutError) as why:
            self.wrong.add(f"an agent stopped answering: {why}")

    def samples(self, service):
        """All that the agent of its node says, not only of it."""
        return self.scrape(self.api.get(service.path)["spec"]["nodeName"])

    def counted(self, service):
        return sum(values(self.samples(service), COUNT, service.labels))

    def wait_until_served(self, service):
        wait_for(f"{service.pod} to serve", lambda: self.request(service))

    def wait_until_watched(self, service):
        """From when on none of its requests is missed."""
        self.wait_until_served(service)
        wait_for(f"a request to {service.labels} to be counted",
                 lambda: self.request(service) and self.counted(service) > 0)

    def look_for_wrong(self, samples):
        """Of every scrape: a JVM is known by its heap, nobody was sent more requests than we know of, and no two series
        are alike."""
        by_labels = {tuple(service.labels.items()): service for service in self.services}
        by_heap = {service.heap_mb * MIB: service for service in self.services}
        self.looked += 1
        seen = set()
        for sample in samples:
            series = (sample.name, *sorted(sample.labels.items()))
            if series in seen:
                self.wrong.add(f"twice in one scrape: {series}")
            seen.add(series)
            owner = by_labels.get(tuple((name, sample.labels.get(name)) for name in ("namespace", "pod", "container")))
            if sample.name == HEAP_MAX and sample.value in by_heap and owner is not by_heap[sample.value]:
                self.wrong.add(f"the heap of {by_heap[sample.value].labels} has {sample.labels}")
            if sample.labels.get("namespace") == self.namespace and not owner:
                self.wrong.add(f"there is no {sample.labels}")
            if sample.name == COUNT and owner and sample.value > owner.sent:
                self.wrong.add(f"more requests than it was sent: {sample.labels}")


def are_ready(status):
    return status.get("numberReady", 0) == status["desiredNumberScheduled"] > 0


def send_together(world, counts):
    """counts: how many requests to each service. All are answered on return."""
    def send(service, count):
        for _ in range(count):
            world.request(service)
    threads = [threading.Thread(target=send, args=each) for each in counts.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
