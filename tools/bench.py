"""How fast umqtt_full is, next to what sockets allow and to other clients, on this machine.

    python3 tools/bench.py [--quick] [--part NAME]... [--json FILE] [--write]

Rule: MicroPython's unix port, .mpy of -O3 (umqtt_full: the compact build, as boards get it), a heap of 256 KiB,
mosquitto on loopback. What depends on the machine is a ratio to the limit, measured in turn with it, the median of
several rounds. The parts:

instructions: what valgrind's callgrind counts in a run of 176 messages less one of 16, divided by 160, so that
    the start of the process and the connection cancel. 64 bytes, a topic of 11, one message under way. Garbage
    is collected once, before; the heap is so large that what this costs the peers later on is not counted.
loopback: the limit ("raw sockets", measure/with_raw.py) is a loop in MicroPython with one write() of a prebuilt
    packet for each packet out and one readinto() for each in, nothing checked. At publish it keeps 20 PUBLISH
    under way: it reads PUBACK (PUBREC, PUBCOMP) and writes the next (PUBREL). The time is from the first
    publish() until the last is done. At receive all messages (at QoS 2: 16 at a time) wait at the broker before
    the time begins. QoS 0 is written without an answer: see its instructions.
slow: the same, QoS 1, 20 under way, over a link of 20 ms each way: no more than 500 messages/s go over it.
transports: publish QoS 1, 20 under way, over WebSocket and TLS: the ratio to TCP.
idle: microseconds of one poll() of a connected client where nothing happens.
heap: what is taken of a heap of 128 KiB while 2,000 messages of QoS 1 are received, every 20 messages.

The peers are fetched from PyPI (see peers.py); what is not there is said in one line and left out. They publish
as they can: umqtt.simple, umqtt.simple2 and aiomqttc wait for each PUBACK.
"""
import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import env
import readme
import runs

sys.path[:0] = [str(env.ROOT / "tests/host"), str(env.ROOT)]
import brokers  # noqa: E402
import certificates  # noqa: E402
import mp  # noqa: E402

FIGURES = env.ROOT / "tools/figures/bench.json"
MICROPYTHON = ("raw", "full", *runs.PEERS)
ONE_BY_ONE = ("simple", "simple2", "aiomqttc")
CASES = [(way, qos, size) for size in (64, 1024) for way in ("publish", "receive") for qos in range(3)]
WINDOW = 20
COUNTED = (16, 176)  # messages of the two runs whose instructions are counted
DELAY = 0.02  # s each way
TRANSPORTS = ("TCP", "WebSocket", "TLS")


def has(client, qos, size=64):
    """Is that measured of this client?"""
    return client in ("raw", "full") or (qos < 2 and size == 64)


def instructions(bench, args):
    if not shutil.which("valgrind"):
        bench.missing.append("instructions: valgrind is not installed")
        return None
    found = {}
    cases = [(way, qos) for way in ("publish", "receive") for qos in range(3)]
    for way, qos in cases[:1] if args.quick else cases:
        found[f"{way} {qos}"] = {client: bench.instructions(client, way, qos, *COUNTED) for client in bench.clients
                                 if client in MICROPYTHON and has(client, qos)}
    if not args.quick:
        found["idle poll"] = {"full": bench.instructions("full", "idle", 0, *COUNTED)}
    return found


def loopback(bench, args):
    found = {}
    for way, qos, size in CASES[::5] if args.quick else CASES:
        rates = {client: [] for client in bench.clients if has(client, qos, size)}
        ratios = {client: [] for client in rates}
        for _ in range(args.rounds):
            limit = 0
            for client in rates:
                waits = client in ONE_BY_ONE and way == "publish" and qos
                count = 25 if waits else args.count
                n, count = runs.burst(way, qos, WINDOW, count)
                rate = bench.rate(client, way, qos, size, count=count, n=n)
                limit = limit or rate
                rates[client].append(rate)
                ratios[client].append(rate / limit)
        found[f"{way} {qos}, {size}"] = {
            client: {"per_s": round(statistics.median(rates[client])), "ratio": round(statistics.median(each), 3)}
            for client, each in ratios.items()}
    return found


def slow(bench, args):
    link = runs.Delay(bench.broker.port, DELAY)
    found = {}
    try:
        for client in bench.clients:
            if client in MICROPYTHON:
                count = 60 if args.quick else 20 if client in ONE_BY_ONE else 600
                found[client] = round(bench.rate(client, "publish", 1, 64, count=count, n=WINDOW, url=link.url), 1)
    finally:
        link.close()
    return found


def transports(bench, args):
    why = certificates.unavailable()
    if why:
        bench.missing.append(f"transports: {why}")
        return None
    with tempfile.TemporaryDirectory() as folder:
        certificates.Authority(Path(folder)).issue("server", "localhost", "127.0.0.1")
        ws, tls = brokers.free_port(), brokers.free_port()
        settings = [f"listener {ws} 127.0.0.1", "protocol websockets", brokers.tls_listener(tls, folder, "server")]
        broker = brokers.Mosquitto(settings="\n".join(settings)).start()
        try:
            urls = broker.url, f"ws://127.0.0.1:{ws}/mqtt", f"mqtts://127.0.0.1:{tls}"
            rounds = []
            for _ in range(args.rounds):
                rates = [bench.rate("full", "publish", 1, 64, count=args.count, n=WINDOW, url=url)
                         for url in urls]
                rounds.append([rate / rates[0] for rate in rates])
        finally:
            broker.stop()
    return {name: round(statistics.median(each), 3) for name, each in zip(TRANSPORTS, zip(*rounds))}


def idle(bench, args):
    count = args.count * 10
    times = [1e6 / bench.rate("full", "idle", count=count) for _ in range(args.rounds)]
    return {"us": round(statistics.median(times), 2)}


def heap(bench, args):
    count = 200 if args.quick else 2000
    found = {}
    for client in bench.clients:
        if client in MICROPYTHON and client != "raw":
            heapsize = "256k" if args.quick else "128k"
            lines, _ = bench.run(client, "heap", 1, 64, count, 20, heapsize=heapsize)
            found[client] = [int(line.split()[1]) for line in lines[:-1]]
    return {"every": 20, "taken": found}


PARTS = {part.__name__: part for part in (instructions, loopback, slow, transports, idle, heap)}


def tables(figures):
    """What stands in the README."""
    return "\n\n".join((
        "Thousand instructions for a message of 64 bytes:",
        by_client(figures["instructions"], lambda n: f"{n / 1000:.1f}"),
        "Bytes of garbage that it leaves:",
        by_client({"receive 1": garbage(**figures["heap"])}, lambda n: f"{n:,.0f}"),
        "Messages a second of the limit, and the share of it that each reaches:",
        loopback_table(figures["loopback"]),
        f"Over a link of {DELAY * 1000:.0f} ms each way, QoS 1: messages a second, of 500:",
        by_client({"publish 1": figures["slow"]}, lambda n: f"{n:.0f}"),
    ))


def garbage(every, taken):
    """Bytes of garbage a message, for each client: how the heap grows while nothing is collected."""
    return {client: statistics.median([b - a for a, b in zip(each, each[1:]) if b >= a]) / every
            for client, each in taken.items()}


def named(case):
    way, qos = case.split()[:2]
    return f"{way} QoS {qos[0]}" if qos[0].isdigit() else case


def by_client(rows, shown):
    clients = [client for client in next(iter(rows.values()))]
    heads = ["", *map(runs.title, clients)]
    return readme.table(heads, [[named(case), *(shown(row[c]) if c in row else "" for c in clients)]
                                for case, row in rows.items()])


def share(ratio):
    return f"{ratio:.2f}" if ratio >= 0.01 else "< 0.01"


def loopback_table(rows):
    clients = list(next(iter(rows.values())))
    heads = ["", "bytes", "limit", *map(runs.title, clients[1:])]
    lines = []
    for case, row in rows.items():
        cells = [share(row[c]["ratio"]) if c in row else "" for c in clients[1:]]
        size = int(case.split(", ")[1])
        lines.append([named(case), f"{size:,}", f"{row['raw']['per_s']:,}", *cells])
    return readme.table(heads, lines)


def options(arguments):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few messages, no peers: only that it runs")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; may be given again")
    parser.add_argument("--json", type=Path, metavar="FILE", default=env.ROOT / "build/bench.json")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    args = parser.parse_args(arguments)
    args.rounds, args.count = (1, 100) if args.quick else (5, 2000)
    if args.write and (args.quick or args.part):
        parser.error("--write needs all figures")
    return args


def measure(args):
    """({part: figures}, what is missing)."""
    clients = ("raw", "full") if args.quick else (*MICROPYTHON, *runs.HOST_CLIENTS)
    broker = brokers.Mosquitto().start()
    try:
        with tempfile.TemporaryDirectory(prefix="umqtt-bench-") as folder:
            bench = runs.Runs(broker, Path(folder), clients)
            figures = {name: PARTS[name](bench, args) for name in args.part or PARTS}
    finally:
        broker.stop()
    return figures, bench.missing


def main(arguments):
    args = options(arguments)
    python = env.ensure()
    if Path(sys.prefix) != env.VENV:
        return subprocess.run([python, __file__, *arguments]).returncode
    why = mp.unavailable() or brokers.Mosquitto.available()
    if why:
        print(why, file=sys.stderr)
        return 1
    figures, missing = measure(args)
    for line in missing:
        print(line, file=sys.stderr)
    text = json.dumps(figures, indent=1) + "\n"
    args.json.parent.mkdir(exist_ok=True)
    args.json.write_text(text)
    if args.part or args.quick:
        print(text)
        return 0
    print(tables(figures))
    if args.write:
        FIGURES.write_text(text)
        return readme.write("bench", tables(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
