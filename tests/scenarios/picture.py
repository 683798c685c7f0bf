"""A picture of what was known of one JVM over time: pressure and its components above, memory below."""

import math

WIDTH, HEIGHT, LEFT, RIGHT = 760, 430, 64, 150
TOP, MIDDLE, BOTTOM = (36, 206), (236, 390), 412
# What is made of others lies wide and pale below them.
RATIOS = (("index", "#b0b0b0", 7), ("load", "#f0a8a0", 4), ("gc", "#0b6e4f", 1.5), ("stall", "#7b1fa2", 1.5),
          ("live", "#1565c0", 1.5), ("psi", "#ef6c00", 1.5), ("oom", "#827717", 1.5))
BYTES = (("limit", "#222222", 2), ("heap max", "#888888", 1.5), ("memory", "#ef6c00", 1.5), ("heap", "#0b6e4f", 1.5),
         ("live set", "#1565c0", 2))
MB = 1 << 20


def lines(history, quantity, x_of, y_of):
    """Runs of points without a gap."""
    runs, run = [], []
    for at, known in history:
        if quantity in known:
            run.append(f"{x_of(at):.1f},{y_of(known[quantity]):.1f}")
        elif run:
            runs.append(run)
            run = []
    return [*runs, run] if run else runs


def panel(history, quantities, bounds, top_value, unit, x_of):
    """Curves between two heights of the picture, with their names at the right."""
    top, bottom = bounds
    y_of = lambda value: bottom - (bottom - top) * min(value, top_value) / top_value
    out = []
    for share in (0, 0.5, 1):
        y = y_of(share * top_value)
        out.append(f'<line x1="{LEFT}" y1="{y:.0f}" x2="{WIDTH - RIGHT}" y2="{y:.0f}" stroke="#dddddd"/>'
                   f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end" fill="#444444">'
                   f'{share * top_value / (MB if unit else 1):g}{unit}</text>')
    shown = [row for row in quantities if any(row[0] in known for _, known in history)]
    for i, (quantity, colour, width) in enumerate(shown):
        for run in lines(history, quantity, x_of, y_of):
            out.append(f'<polyline points="{" ".join(run)}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        out.append(f'<text x="{WIDTH - RIGHT + 10}" y="{top + 10 + 18 * i}" fill="{colour}">{quantity}</text>')
    return out


def draw(title, history):
    end = history[-1][0]
    x_of = lambda at: LEFT + (WIDTH - LEFT - RIGHT) * at / end
    largest = max((known[name] for _, known in history for name, _, _ in BYTES if name in known), default=MB)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
           f'font-size="13">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
           f'<text x="{LEFT}" y="20" font-size="15" fill="#222222">{title}</text>']
    out += panel(history, RATIOS, TOP, 1, "", x_of)
    out += panel(history, BYTES, MIDDLE, 256 * MB * math.ceil(largest / (256 * MB)), " MB", x_of)
    for at in range(0, end + 1, 30 if end > 60 else 10):
        out.append(f'<text x="{x_of(at):.0f}" y="{BOTTOM}" text-anchor="middle" fill="#444444">{at} s</text>')
    return "\n".join([*out, "</svg>"]) + "\n"
