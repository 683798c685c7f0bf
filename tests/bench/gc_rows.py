"""What the probes on libjvm cost a JVM that collects all the time."""

import pathlib
import subprocess
import time

from agent import PATIENCE, Agent

PAIRS = 20
PHASE_S = 2
OPTIONS = ("-XX:+UseSerialGC", "-Xmx160m", "-Xmn100m", "-XX:TieredStopAtLevel=1")  # it fills that 100 times a second


class Churn:
    """A JVM that runs Churn.java, in the `with` block."""

    def __init__(self, jdk, directory):
        source = pathlib.Path(__file__).with_name("Churn.java")
        subprocess.run([jdk / "javac", "-d", directory, source], check=True)
        self.process = subprocess.Popen([jdk / "java", *OPTIONS, "-cp", directory, "Churn"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        self.count()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def count(self):
        """Rounds and collections so far."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return [int(word) for word in self.process.stdout.readline().split()]

    def cpu_ns(self):
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def phase(self):
        """CPU time of a round in nanoseconds, and collections a second."""
        began, cpu, (rounds, collections) = time.monotonic(), self.cpu_ns(), self.count()
        time.sleep(PHASE_S)
        more_rounds, more_collections = self.count()
        return ((self.cpu_ns() - cpu) / (more_rounds - rounds),
                (more_collections - collections) / (time.monotonic() - began))


def wait_until_measured(agent, pid):
    deadline = time.monotonic() + PATIENCE
    wanted = (f'pid="{pid}"', 'source="usdt"')
    while not any(line.startswith("manometer_jvm_gc_pause_seconds_count{") and all(text in line for text in wanted)
                  for line in agent.samples()):
        if time.monotonic() > deadline:
            raise RuntimeError("no GC pauses of the JVM are measured")
        time.sleep(0.1)


def rows(row, spread, binary, jdk, directory):
    what = "JVM that collects all the time: its CPU for a round, probes on / off"
    if jdk is None:
        row(what, "not measured: needs openjdk-17-jdk-headless")
        return
    with Churn(jdk, directory) as jvm:
        time.sleep(PHASE_S)  # what it compiles, it has compiled by then
        ratios, rates = [], []
        for pair in range(PAIRS):
            def watched():
                with Agent(binary, []) as agent:
                    wait_until_measured(agent, jvm.process.pid)
                    return jvm.phase()
            turns = (watched, jvm.phase) if pair % 2 else (jvm.phase, watched)
            results = {turn: turn() for turn in turns}
            ratios.append(results[watched][0] / results[jvm.phase][0])
            rates += [rate for _, rate in results.values()]
    row(what, spread(ratios, "", 4), "<= 1.01")
    row("the same: collections a second", spread(rates, "", 0), ">= 100")
