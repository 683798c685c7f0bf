#!/usr/bin/env python3
"""Draws docs/queue.svg: what clients wait for a server with one worker, by their own clock, by Manometer's and by one
that starts when the server reads, as other agents' do.

    tests/bench/queue_picture.py AGENT_BINARY HTTP_LOAD_BINARY SERVER_CLASSES SVG     as root
"""

import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True  # run as root, it would leave root's files in the source tree
sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from agent import Agent

CONNECTIONS = (1, 5, 10, 15, 20)
SECONDS = 4
SERVICE_MS = 5
# Fine enough to interpolate in: 32 bounds, a sixth apart, from 3 ms.
BOUNDS = [round(0.003 * 1.17**i, 6) for i in range(32)]
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 330, 64, 24, 236, 48


def histogram(text, name, pid):
    """Cumulative counts by bound, summed over the series of a process."""
    counts = {}
    for line in text.splitlines():
        bucket = re.match(rf'{name}_bucket{{.*pid="{pid}".*le="([^"]+)"}} (\d+)', line)
        if bucket:
            bound = float(bucket[1])
            counts[bound] = counts.get(bound, 0) + int(bucket[2])
    return counts


def median_ms(before, after):
    """Interpolated within the bucket, of what came between two scrapes."""
    counts = {bound: count - before.get(bound, 0) for bound, count in after.items()}
    half = max(counts.values()) / 2
    low, below = 0.0, 0
    for bound in sorted(counts):
        if counts[bound] >= half:
            return 1000 * (low + (bound - low) * (half - below) / (counts[bound] - below))
        low, below = bound, counts[bound]
    raise RuntimeError("no samples")


def measure(agent, load, port, pid, connections):
    """(client's, Manometer's, read clock's) median in ms."""
    stages = [f"manometer_http_request_{stage}_seconds" for stage in ("duration", "processing")]

    def scrape():
        text = agent.get("/metrics")[1].decode()
        return [histogram(text, stage, pid) for stage in stages]

    before = scrape()
    out = subprocess.run([load, str(port), str(connections), str(SECONDS)], check=True,
                         capture_output=True, text=True).stdout
    duration, processing = (median_ms(*pair) for pair in zip(before, scrape()))
    return float(re.search(r"p50 ([\d.]+) us", out)[1]) / 1000, duration, processing


def draw(rows):
    top_ms = 50 * (1 + int(max(row[1] for row in rows) // 50))
    x_of = lambda n: LEFT + (WIDTH - LEFT - RIGHT) * n / CONNECTIONS[-1]
    y_of = lambda ms: TOP + (HEIGHT - TOP - BOTTOM) * (1 - ms / top_ms)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
           f'font-size="13">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>']
    for ms in range(0, top_ms + 1, 50):
        out.append(f'<line x1="{LEFT}" y1="{y_of(ms):.0f}" x2="{WIDTH - RIGHT}" y2="{y_of(ms):.0f}" stroke="#dddddd"/>'
                   f'<text x="{LEFT - 8}" y="{y_of(ms) + 4:.0f}" text-anchor="end" fill="#444444">{ms} ms</text>')
    for n in CONNECTIONS:
        out.append(f'<text x="{x_of(n):.0f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#444444">{n}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle" fill="#444444">'
               f'concurrent clients of a server with one worker, {SERVICE_MS} ms a request</text>')
    for column, colour, dash, label in ((2, "#0b6e4f", "", "Manometer: from arrival"),
                                        (3, "#b3261e", "6 4", "a clock from the read")):
        points = " ".join(f"{x_of(row[0]):.1f},{y_of(row[column]):.1f}" for row in rows)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5" '
                   f'stroke-dasharray="{dash}"/>')
        out.append(f'<text x="{WIDTH - RIGHT + 12}" y="{y_of(rows[-1][column]) + 4:.0f}" fill="{colour}">{label}</text>')
    for row in rows:
        out.append(f'<circle cx="{x_of(row[0]):.1f}" cy="{y_of(row[1]):.1f}" r="4.5" fill="none" stroke="#222222"/>')
    out.append(f'<text x="{WIDTH - RIGHT + 12}" y="{y_of(rows[-1][1]) + 22:.0f}" fill="#222222">'
               f'○ what the clients wait (p50)</text></svg>')
    return "\n".join(out) + "\n"


def main(agent_binary, load, classes, svg):
    server = subprocess.Popen(["java", "-cp", classes, "Servers", "jdk", "1", str(SERVICE_MS * 1000)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        with Agent(agent_binary, ["--buckets", ",".join(map(str, BOUNDS))]) as agent:
            measure(agent, load, port, server.pid, 1)  # warms it up
            rows = [(n, *measure(agent, load, port, server.pid, n)) for n in CONNECTIONS]
    finally:
        server.stdin.close()
        server.wait()
    print("clients  their p50  Manometer's  from the read   (ms)")
    for row in rows:
        print(f"{row[0]:7}  {row[1]:9.2f}  {row[2]:11.2f}  {row[3]:13.2f}")
    pathlib.Path(svg).write_text(draw(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
