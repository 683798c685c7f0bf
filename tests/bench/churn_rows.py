"""What processes cost the agent that come and go, and whether it loses a JVM among them."""

import os
import pathlib
import subprocess
import tempfile
import time

import fake_node
from agent import PATIENCE, Agent, parse_sample, series_value

CALM_RATE, CALM_S = 50, 20
STORM, STORM_S, STORM_JVMS = 20_000, 10, 20
LIFE = 100_000
TRUE = "/bin/true"


def spawn(processes, per_second=None):
    """Runs a program that does nothing so many times, some at once, no more of them a second than that."""
    at_once, started, pids = 8, time.monotonic(), []
    for number in range(processes):
        pids.append(os.posix_spawn(TRUE, [TRUE], {}))
        if len(pids) == at_once:
            for pid in pids:
                os.waitpid(pid, 0)
            pids.clear()
        if per_second:
            time.sleep(max(0.0, started + (number + 1) / per_second - time.monotonic()))
    for pid in pids:
        os.waitpid(pid, 0)
    return time.monotonic() - started


class FakeJvm:
    """A process that looks like a JVM (tests/support/fake_jvm.cpp), in the `with` block."""

    def __init__(self, program, directory):
        self.home = pathlib.Path(tempfile.mkdtemp(dir=directory))
        (self.home / "hsperfdata_test").mkdir()
        (self.home / "hsperfdata_test/1").write_bytes(fake_node.perf_data("17-g1"))
        (self.home / "libjvm.so").write_text("no library")
        self.process = subprocess.Popen([program, self.home / "libjvm.so", self.home / "hsperfdata_test/1"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def known(agent, jvms):
    """How many of these the agent reads."""
    pids = {str(jvm.process.pid) for jvm in jvms}
    samples = [parse_sample(line) for line in agent.samples() if line.startswith("manometer_jvm_info{")]
    return sum(labels["pid"] in pids and labels["tier"] != "none" for _, labels, _ in samples)


def lost(agent):
    """Events that were lost, by what lost them; those that were."""
    samples = [parse_sample(line) for line in agent.samples() if line.startswith("manometer_events_lost_total{")]
    return {labels["reason"]: int(value) for _, labels, value in samples if value > 0}


def held(agent):
    """RSS in MB, descriptors, MB of BPF maps."""
    samples = agent.samples_anew()
    return (series_value(samples, "process_resident_memory_bytes") / 1e6,
            int(series_value(samples, "process_open_fds")), agent.map_mb())


def calm(row, agent):
    cpu, began = agent.cpu_ms(), time.monotonic()
    time.sleep(CALM_S)
    share = (agent.cpu_ms() - cpu) / (time.monotonic() - began) / 10
    row("no churn of ours: agent's CPU", f"{share:.3f} % of a core", "<= 1 %")
    cpu = agent.cpu_ms()
    seconds = spawn(CALM_RATE * CALM_S, CALM_RATE)
    row(f"{CALM_RATE} processes/s: agent's CPU", f"{(agent.cpu_ms() - cpu) / seconds / 10:.3f} % of a core", "<= 3 %")


def storm(row, agent, program, directory):
    """JVMs that start in the middle of it: all are to be known in the end, by events or by the scan."""
    jvms, cpu, seconds = [], agent.cpu_ms(), 0
    for _ in range(STORM_JVMS):
        seconds += spawn(STORM // STORM_JVMS, STORM / STORM_S)
        jvms.append(FakeJvm(program, directory))
    spent, at_end, began = agent.cpu_ms() - cpu, known(agent, jvms), time.monotonic()
    while known(agent, jvms) < STORM_JVMS and time.monotonic() < began + PATIENCE:
        time.sleep(0.25)
    name = f"{STORM} processes in {seconds:.0f} s, {STORM_JVMS} JVMs among them"
    row(f"{name}: JVMs known", f"{at_end} at its end, {known(agent, jvms)} after {time.monotonic() - began:.1f} s",
        f"{STORM_JVMS}")
    row("the same: events lost", str(lost(agent) or "none"))
    row("the same: agent's CPU", f"{spent / seconds / 10:.1f} % of a core")
    for jvm in jvms:
        jvm.end()


def life(row, agent):
    """A day of churn in fast motion."""
    series = [held(agent)]
    seconds = 0
    for _ in range(4):
        seconds += spawn(LIFE // 4)
        series.append(held(agent))
    name = f"{LIFE} process starts and exits in {seconds:.0f} s, in quarters"
    for what, unit, digits, index in (("RSS", " MB", 2, 0), ("descriptors", "", 0, 1), ("BPF maps", " MB", 2, 2)):
        row(f"{name}: {what}", ", ".join(f"{values[index]:.{digits}f}" for values in series) + unit, "flat")
        name = "the same"


def series(row, binary, directory):
    """Series by metric on a node of 200 JVMs made of files, where requests and stops of the kernel are not measured."""
    jvms = 200
    arguments = fake_node.make(directory / "series", jvms)
    quick = ["--sample-interval", "1s", "--pressure-window", "4s", "--leak-window", "1s"]
    for profile, budget in (("default", "<= 150"), ("minimal", "<= 25")):
        with Agent(binary, [*arguments, *quick, "--profile", profile]) as agent:
            deadline = time.monotonic() + PATIENCE
            while sum(line.startswith("manometer_jvm_leak_suspected{") for line in agent.samples()) < jvms:
                if time.monotonic() > deadline:
                    break
                time.sleep(0.5)
            count = {}
            for line in agent.samples():
                name, labels, _ = parse_sample(line)
                if "pid" in labels or "container" in labels:
                    count[name] = count.get(name, 0) + 1
            row(f"{jvms} JVMs, --profile {profile}: series for each", f"{sum(count.values()) / jvms:.1f}", budget)
            for name, number in sorted(count.items(), key=lambda entry: (-entry[1], entry[0])):
                row(f"  {name}", f"{number / jvms:.2f}")


def flood(row, binary, directory):
    """Ten times as many JVMs as the agent takes: what it costs to refuse them, beside a node that is just full."""
    for jvms in (500, 5000):
        arguments = fake_node.make(directory / f"flood-{jvms}", jvms)
        with Agent(binary, arguments) as agent:
            refused = f'limit="jvms"}} {jvms - 500}'
            deadline = time.monotonic() + PATIENCE
            while not any(line.startswith("manometer_refused_total{") and refused in line for line in agent.samples()):
                if time.monotonic() > deadline:
                    raise RuntimeError("they are not refused")
                time.sleep(0.5)
            cpu, began = agent.cpu_ms(), time.monotonic()
            time.sleep(CALM_S)
            share = (agent.cpu_ms() - cpu) / (time.monotonic() - began) / 10
            rss, descriptors, _ = held(agent)
            row(f"{jvms} JVMs, --max-jvms 500", f"{share:.2f} % of a core, RSS {rss:.1f} MB, {descriptors} descriptors")


def rows(row, binary, program, directory):
    series(row, binary, directory)
    flood(row, binary, directory)
    with Agent(binary, ["--scan-interval", "10s"]) as agent:
        jvms = sum(line.startswith("manometer_jvm_info{") for line in agent.samples())
        row(f"this machine's own {jvms} JVMs: BPF maps", f"{agent.map_mb():.1f} MB", "<= 32 MB")
        calm(row, agent)
        spawn(2000)  # so that what is allocated once is there
        storm(row, agent, program, directory)
        life(row, agent)
