"""What the agent itself spends while requests are measured: real JVMs that serve, and one of them under load."""

import contextlib
import pathlib
import subprocess
import time

from agent import PROMETHEUS, Agent

SERVERS = 20
RATE = 10_000
CONNECTIONS = 64
SCRAPE_EVERY = 5
SCRAPES = 6
HEAP = ["-Xmx24m", "-XX:+UseSerialGC", "-Xss256k"]


def start_server(stack, jdk, classes):
    """A small HTTP server in a JVM until its standard input ends; its port and pid."""
    server = subprocess.Popen([jdk / "java", *HEAP, "-cp", classes, "Servers", "nio", "1", "0"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    stack.callback(server.wait)
    stack.callback(server.stdin.close)
    return int(server.stdout.readline()), server.pid


def load(build, port, connections, seconds, rate):
    """Clients under way; what they print at their end is what they saw."""
    command = [build / "tests/bpf/http_load", port, connections, seconds, rate]
    return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)


def counted(agent, pids):
    """Requests that the agent has counted of these processes."""
    name = "manometer_http_request_duration_seconds_count{"
    lines = [line for line in agent.samples() if line.startswith(name)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if any(f'pid="{pid}"' in line for pid in pids))


def wait_until_watched(agent, pids):
    deadline = time.monotonic() + 60
    while not all(any(line.startswith("manometer_http_requests_in_flight{") and f'pid="{pid}"' in line
                      for line in agent.samples()) for pid in pids):
        if time.monotonic() > deadline:
            raise RuntimeError("the agent does not watch all servers")
        time.sleep(0.25)


def measure(agent):
    """CPU in ms and the time in s of some scrapes, as far apart as Prometheus makes them."""
    cpu, started = agent.cpu_ms(), time.monotonic()
    for number in range(1, SCRAPES + 1):
        time.sleep(max(0.0, started + number * SCRAPE_EVERY - time.monotonic()))
        agent.get("/metrics", PROMETHEUS)
    time.sleep(0.05)
    return agent.cpu_ms() - cpu, time.monotonic() - started


def rows(row, build, jdk):
    classes = build / "tests/bpf/classes"
    if jdk is None or not (classes / "Servers.class").exists():
        row("requests: the agent's own CPU", "not measured: needs openjdk-17-jdk-headless")
        return
    with contextlib.ExitStack() as stack:
        servers = [start_server(stack, jdk, classes) for _ in range(SERVERS)]
        agent = stack.enter_context(Agent(build / "agent/manometer", []))
        pids = [pid for _, pid in servers]
        wait_until_watched(agent, pids)
        for port, _ in servers:  # so that each has series
            load(build, port, 1, 0.05, 100).communicate()
        clients = load(build, servers[0][0], CONNECTIONS, (SCRAPES + 1) * SCRAPE_EVERY, RATE)
        cpu, seconds = measure(agent)
        saw = clients.communicate()[0]
        answered = int(saw.split("answered ")[1].split()[0])
        name = f"{SERVERS} JVMs, {RATE} req/s, a scrape every {SCRAPE_EVERY} s"
        row(f"{name}: agent's CPU", f"{cpu / seconds / 10:.3f} % of a core", "<= 1 %")
        row(f"{name}: RSS", f"{agent.memory_mb('VmRSS'):.1f} MB", "<= 20 MB")
        share = counted(agent, pids[:1]) / answered
        row(f"{name}: counted", f"{100 * share:.2f} % of {answered}: {saw.strip().split('rate ')[1]}")
