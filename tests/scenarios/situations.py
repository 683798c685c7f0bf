"""The situations, and what memory pressure has to say of each."""

import dataclasses

COLLECTORS = {
    "G1": ("-XX:+UseG1GC",),
    "Parallel": ("-XX:+UseParallelGC",),
    "Serial": ("-XX:+UseSerialGC",),
    "ZGC": ("-XX:+UnlockExperimentalVMOptions", "-XX:+UseZGC"),
}


@dataclasses.dataclass(frozen=True)
class Band:
    """Median of a quantity between two times since the start; of requests the mean. high None: it has no value."""
    what: str
    begin: int
    end: int
    low: float
    high: float
    not_for: tuple = ()  # collectors


@dataclasses.dataclass(frozen=True)
class Situation:
    name: str
    title: str
    steps: tuple  # of Scenario.java
    options: tuple
    limit_mb: int
    seconds: int
    bands: tuple
    clients: int = 0
    window_s: int = 20  # shorter than the default, so that not all of them take minutes


IDLE = Situation(
    "idle", "a large heap, and nothing to do", ("idle:60",), ("-Xms1g", "-Xmx1g", "-XX:+AlwaysPreTouch"), 1536, 60,
    (Band("load", 35, 60, 0, 0.05), Band("gc", 35, 60, 0, 0.05), Band("oom", 35, 60, 0, 0.05),
     Band("index", 35, 60, 0, 0.05)))

NORMAL = Situation(
    "normal", "a healthy service", ("work:60:100:100",), ("-Xmx512m",), 1024, 60,
    (Band("load", 40, 60, 0, 0.5), Band("stall", 40, 60, 0, 0.05, ("Parallel", "Serial")),
     Band("live", 40, 60, 0, 0.2), Band("oom", 40, 60, 0, 0.05), Band("index", 40, 60, 0, 0.5)))

STORM = Situation(
    "storm", "an allocation storm, then nothing", ("work:65:100:20", "storm:45:300", "idle:125"), ("-Xmx512m",), 1024, 235,
    # Within 30 s of its begin, at its height, and within 120 s of its end.
    (Band("load", 93, 97, 0.5, 1), Band("load", 105, 112, 0.9, 1), Band("gc", 105, 112, 0.9, 1),
     Band("index", 105, 112, 0.9, 1), Band("load", 225, 235, 0, 0.1)), window_s=60)

GROWS = (0.7 * 1.25 * 2**20, 1.3 * 1.25 * 2**20)

# 16 MB/s of sessions fill the old generation, which has nine tenths of the heap, as often as it takes to see the leak
# long before the end. The live set is some 30 MB of them, and what leaked.
LEAK = Situation(
    "leak", "a leak of 1.25 MB/s", ("leak:320:1280",), ("-Xmx512m", "-XX:NewRatio=9"), 768, 320,
    (Band("load", 60, 240, 0, 0.5), Band("leak", 200, 240, 1, 1), Band("growth", 200, 240, *GROWS),
     Band("leak", 310, 320, 1, 1), Band("growth", 310, 320, *GROWS), Band("live", 310, 320, 0.5, 1),
     Band("index", 310, 320, 0.5, 1)))

DIRECT = Situation(
    "direct", "memory outside of the heap grows", ("direct:912:20", "idle:60"),
    ("-Xmx64m", "-XX:MaxDirectMemorySize=1000m"), 1024, 60,
    (Band("oom", 55, 60, 0.4, 1), Band("index", 55, 60, 0.4, 1), Band("load", 55, 60, 0, 0.3)))

WRONG_LIMIT = Situation(
    "wrong-limit", "a heap that does not fit its container", ("work:60:20:20",), ("-Xmx1g",), 768, 60,
    (Band("overcommit", 40, 60, 1.25, 1.7), Band("oom", 40, 60, 0.99, 1), Band("index", 40, 60, 0.99, 1),
     Band("load", 40, 60, 0, 0.3)))

POOL = Situation(
    "pool", "two threads for twenty clients, and a healthy heap", ("serve:2:50",), ("-Xmx256m",), 1024, 60,
    (Band("queue", 40, 60, 0.2, 0.6), Band("processing", 40, 60, 0.04, 0.08), Band("load", 40, 60, 0, 0.1),
     Band("index", 40, 60, 0, 0.1)), clients=20)

UPSTREAM = Situation(
    "upstream", "whoever is behind the service is slow", ("serve:64:500",), ("-Xmx256m",), 1024, 60,
    (Band("queue", 40, 60, 0, 0.05), Band("processing", 40, 60, 0.45, 0.6), Band("load", 40, 60, 0, 0.1),
     Band("index", 40, 60, 0, 0.1)), clients=20)


@dataclasses.dataclass(frozen=True)
class Group:
    """What runs side by side, as it leaves the machine nearly idle."""
    situations: tuple
    all_collectors: bool = False


GROUPS = (Group((IDLE, DIRECT, WRONG_LIMIT)), Group((POOL, UPSTREAM)), Group((NORMAL,)), Group((STORM,)),
          Group((LEAK,), all_collectors=True))
