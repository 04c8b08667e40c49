"""The README's charts, from the figures that footprint.py and bench.py wrote: tools/figures/*.svg.

    python3 tools/plots.py

Rule: nothing is measured here; the same figures give the same files.

- heap.svg: what is taken of the heap while 2,000 messages come in, for each client
- memory.svg: heap of an import, by feature
- speed.svg: messages a second, as a share of what sockets allow
"""
import json
import sys
from pathlib import Path

import bench as tables
import env
import runs
import svg

FIGURES = env.ROOT / "tools/figures"
ROW = 26  # px of a bar and what is between two
DRAWN = ("full", "simple", "chumicro")  # more saw-teeth can not be told apart
COMPARED = ("full", "simple", "simple2", "chumicro", "aiomqttc")  # in the order of svg.COLOURS


def heap(bench):
    """A saw-tooth where garbage is made, a flat line where none is."""
    every, taken = bench["heap"]["every"], bench["heap"]["taken"]
    clients = [client for client in DRAWN if client in taken]
    taken = {client: taken[client] for client in clients}
    chart = svg.Canvas("Heap in use while messages are received", COMPARED)
    messages = every * (max(map(len, taken.values())) - 1)
    top = max(map(max, taken.values())) * 1.05
    step = svg.step(top)

    def x(n):
        return svg.scale(n, 0, messages, svg.LEFT, svg.RIGHT - 140)

    def y(n):
        return svg.scale(n, 0, top, svg.BOTTOM, svg.TOP)

    for n in range(0, int(top) + 1, step):
        chart.line(svg.LEFT, y(n), x(messages), y(n), "grid")
        chart.text(svg.LEFT - 8, y(n) + 4, f"{n:,}", anchor="end")
    for n in range(0, messages + 1, svg.step(messages, 5)):
        chart.text(x(n), svg.BOTTOM + 18, f"{n:,}", anchor="middle")
    chart.text((svg.LEFT + x(messages)) / 2, svg.BOTTOM + 38, "messages of QoS 1 received", anchor="middle")
    chart.turned((svg.TOP + svg.BOTTOM) / 2, "bytes of heap in use")
    chart.text(svg.LEFT, 20, "64 bits, a heap of 128 KiB, .mpy; garbage is collected when the heap is full")
    for client in reversed(clients):
        chart.curve([(x(i * every), y(n)) for i, n in enumerate(taken[client])], client)
    ends = sorted(((y(taken[client][-1]), client) for client in clients), reverse=True)
    last = svg.BOTTOM + 16
    for at, client in ends:  # from below, so that none lies on another
        last = min(at + 4, last - 16)
        chart.text(x(messages) + 8, last, runs.title(client), ("b " if client == "full" else "") + client)
    return chart.svg()


def bars(chart, rows, most, shown, left=190, top=40):
    """A bar for each (name, value, series); a row without a series is a gap."""
    for i, (name, value, series) in enumerate(rows):
        y = top + i * ROW
        chart.text(left - 8, y + 14, name, anchor="end")
        if series:
            width = svg.scale(value, 0, most, 0, svg.RIGHT - 60 - left)
            chart.box(left, y, width, ROW - 8, series)
            chart.text(left + width + 6, y + 14, shown(value))


def memory(footprint):
    """Heap of the import for each profile, and what each feature adds."""
    rows = [(name, row["heap32_mpy"], "full") for name, row in footprint["profiles"].items()]
    rows += [(f"+ {name}", row["heap32_mpy"], "simple") for name, row in footprint["modules"].items()]
    client = footprint["clients"]["32"][0]
    words = f"a client ({client['rx']}, {client['slots']} x {client['slot_size']})"
    rows.append((words, client["heap"], "simple2"))
    chart = svg.Canvas("Heap by feature", COMPARED, 48 + ROW * len(rows))
    chart.text(svg.LEFT, 20, "bytes of heap after the import, 32 bits, from .mpy")
    bars(chart, rows, max(value for _, value, _ in rows), "{:,}".format)
    return chart.svg()


def speed(bench):
    """Shares of the limit, QoS 1 and 2, 64 bytes."""
    rows = []
    for case, row in bench["loopback"].items():
        what, size = case.split(", ")
        way, qos = what.split()
        if size == "64" and qos != "0":
            if rows:
                rows.append(("", 0, None))
            for client in filter(row.get, COMPARED):
                rows.append((f"{way} QoS {qos}" if client == "full" else "", row[client]["ratio"], client))
    chart = svg.Canvas("Throughput as a share of what sockets allow", COMPARED, 70 + ROW * len(rows))
    chart.text(svg.LEFT, 20, "messages a second on loopback, as a share of raw sockets in MicroPython; 64 bytes")
    bars(chart, rows, 1, tables.share, top=66)
    at = svg.LEFT
    for client in COMPARED:
        name = runs.title(client).split()[0]
        chart.box(at, 34, 12, 12, client)
        chart.text(at + 18, 45, name)
        at += 40 + 7 * len(name)
    return chart.svg()


def main(folder=FIGURES, figures=FIGURES):
    footprint, bench = (json.loads((figures / f"{name}.json").read_text()) for name in ("footprint", "bench"))
    for name, text in (("heap", heap(bench)), ("memory", memory(footprint)), ("speed", speed(bench))):
        (Path(folder) / f"{name}.svg").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
