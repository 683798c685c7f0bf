"""A running agent, and what it costs."""

import http.client
import os
import pathlib
import re
import subprocess
import threading
import time

# What Prometheus 2.42 sends.
PROMETHEUS = {"Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "Accept-Encoding": "gzip"}
PATIENCE = 60


class Agent:
    """Ends with the `with` block; and with this process, by its standard input."""

    def __init__(self, binary, arguments):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MANOMETER_")}
        self.lines = []  # of its log: when it was read, and the line
        self.grown = threading.Condition()
        self.started = time.monotonic()
        self.process = subprocess.Popen([binary, "run", "--listen", "127.0.0.1:0", "--stop-with-stdin", *arguments],
                                        stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)
        self.reader = threading.Thread(target=self.read_log, daemon=True)
        self.reader.start()

    def __enter__(self):
        _, port = self.wait_for_line(r"listening on \S+:(\d+)")
        self.connection = http.client.HTTPConnection("127.0.0.1", int(port.group(1)), timeout=PATIENCE)
        while self.get("/readyz")[0] != 200:
            time.sleep(0.001)
        self.get("/metrics", PROMETHEUS)
        self.ready_ms = (time.monotonic() - self.started) * 1000
        self.ready_peak_mb = self.memory_mb("VmHWM")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.reader.join()
        for stream in (self.process.stdin, self.process.stderr):
            stream.close()

    def read_log(self):
        for line in self.process.stderr:
            with self.grown:
                self.lines.append((time.monotonic(), line))
                self.grown.notify()

    def find_line(self, pattern):
        """(when, match) of the first such line of its log so far."""
        with self.grown:
            found = ((when, re.search(pattern, line)) for when, line in self.lines)
            return next((hit for hit in found if hit[1]), None)

    def wait_for_line(self, pattern):
        deadline = time.monotonic() + PATIENCE
        while (hit := self.find_line(pattern)) is None:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"no '{pattern}' in the agent's log:\n" + "".join(line for _, line in self.lines))
            with self.grown:
                self.grown.wait(0.1)
        return hit

    def get(self, path, headers=None):
        self.connection.request("GET", path, headers=headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def samples(self):
        return [line for line in self.get("/metrics")[1].decode().splitlines() if not line.startswith("#")]

    def samples_anew(self):
        """Of a scrape that is made after this call began: no two take as long to make."""
        def made_in(samples):
            return [line for line in samples if line.startswith("manometer_collector_duration_seconds")]

        before, deadline = made_in(self.samples()), time.monotonic() + PATIENCE
        while made_in(samples := self.samples()) == before:
            if time.monotonic() > deadline:
                raise RuntimeError("/metrics stays as it was")
            time.sleep(0.01)
        return samples

    def cpu_ms(self):
        """Of all its threads, to the nanosecond; process_cpu_seconds_total has it too, but reading that costs some."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6

    def memory_mb(self, field):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+)", status).group(1)) * 1024 / 1e6

    def map_mb(self):
        """What the kernel charges for the agent's BPF maps, each counted once."""
        maps = {}
        for file in pathlib.Path(f"/proc/{self.process.pid}/fdinfo").iterdir():
            text = file.read_text()
            number, bytes_held = re.search(r"map_id:\s+(\d+)", text), re.search(r"memlock:\s+(\d+)", text)
            if number and bytes_held:  # an iterator's link has the first alone
                maps[number[1]] = int(bytes_held[1])
        return sum(maps.values()) / 1e6

    def scrape_cpu_ms(self, headers):
        before = self.cpu_ms()
        self.get("/metrics", headers)
        time.sleep(0.003)  # it still closes the books of this request
        return self.cpu_ms() - before


def series_value(samples, name):
    return next(float(line.rsplit(" ", 1)[1]) for line in samples if re.match(name + r"[ {]", line))


def parse_sample(line):
    """(name, labels, value)."""
    name, labels, value = re.match(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
    return name, dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")), float(value)
