"""A fleet comes back after its broker's restart: how often it knocks, and how long that takes.

    python3 tools/storm.py [--devices N] [--rate N] [--away S] [--seed N] [--json FILE] [--svg FILE] [--write]

Rule: the delays of umqtt_full come from its own back-off and its own settings; the rest is a model without
latency. All lose their link at 0 s. Until the broker is back every attempt is refused at once; from then on the
first `rate` attempts of each second are accepted, and these stay connected. A refusal costs the broker nothing.
Prints the table and writes the chart; with --write the table goes into README.md too.
"""
import argparse
import heapq
import json
import math
import random
import sys
from pathlib import Path

import env
import readme
import svg
from svg import BOTTOM, LEFT, RIGHT, TOP

sys.path.insert(0, str(env.ROOT))
from umqtt_full.link import Link, backoff  # noqa: E402

README = env.ROOT / "README.md"
BEGIN, END = readme.markers("storm")
LIMIT = 7200  # s that are simulated at most
HEADS = ("", "peak, broker away", "peak, broker back", "attempts in all", "99 % back", "all back")
SERIES = ("jitter", "fixed", "doubled")


class Storm:
    """What one way to wait led to: `attempts` and `accepted` for each second."""

    def __init__(self, key, name, args):
        self.key, self.name = key, name
        self.devices, self.rate, self.away = args.devices, args.rate, args.away
        self.attempts, self.accepted = [], []

    def run(self, delay):
        """Each device waits delay(failures) ms: 0 failures when it lost its link."""
        due = {}  # ms: the failures so far of each device that tries then

        def wait(now, failures):
            at = now + max(delay(failures), 1)
            if at in due:
                due[at].append(failures)
            else:
                due[at] = [failures]
                heapq.heappush(times, at)

        times = []
        for _ in range(self.devices):
            wait(0, 0)
        while times and times[0] < LIMIT * 1000:
            now = heapq.heappop(times)
            for failures in self._accept(now // 1000, due.pop(now)):
                wait(now, failures + 1)

    def _accept(self, second, devices):
        """Returns those that were refused."""
        while len(self.attempts) <= second:
            self.attempts.append(0)
            self.accepted.append(0)
        room = self.rate - self.accepted[second] if second >= self.away else 0
        self.attempts[second] += len(devices)
        self.accepted[second] += min(room, len(devices))
        return devices[room:]

    def peaks(self):
        """The most attempts in a second, while the broker is away and after."""
        return max(self.attempts[: self.away], default=0), max(self.attempts[self.away :], default=0)

    def back_s(self, share):
        """Seconds until that share of the devices is back, or None."""
        up = 0
        for second, n in enumerate(self.accepted):
            up += n
            if up >= share * self.devices:
                return second + 1
        return None

    def row(self):
        times = [self.back_s(0.99), self.back_s(1)]
        return (self.name, *(f"{n:,}" for n in (*self.peaks(), sum(self.attempts))), *map(said, times))

    def as_json(self):
        away, back = self.peaks()
        return {"name": self.name, "peak_away": away, "peak_back": back, "attempts": sum(self.attempts),
                "s_99": self.back_s(0.99), "s_all": self.back_s(1), "attempts_per_s": self.attempts}


def said(seconds):
    return f"not within {LIMIT:,} s" if seconds is None else f"{seconds:,} s"


def simulate(args):
    """The three ways to wait, one after another, each from the same seed."""
    link = Link(())
    low, high = link.retry_min_ms, link.retry_max_ms
    span = f"{low / 1000:g} s, doubled up to {high / 1000:g} s"
    ways = (
        ("jitter", f"**umqtt_full**: random up to {span}", lambda n: backoff(n, low, high)),
        ("fixed", "always 1 s, as MQTT.js", lambda n: 1000),
        ("doubled", span + ", not random", lambda n: min(high, low << min(n, 16))),
    )
    storms = []
    for key, name, delay in ways:
        random.seed(args.seed)
        storms.append(Storm(key, name, args))
        storms[-1].run(delay)
    return storms


def table(storms):
    return readme.table(HEADS, [storm.row() for storm in storms])


def put(text, new):
    """`text` with `new` between the markers."""
    return readme.put(text, "storm", new)


class Chart(svg.Canvas):
    """Attempts for each second of all storms: the time to the right, a logarithmic scale upwards."""

    def __init__(self, storms):
        super().__init__("Attempts to connect per second after the restart of a broker", SERIES)
        self.storms = storms
        self.first = storms[0]
        ends = [storm.back_s(1) or LIMIT for storm in storms if storm.key != "doubled"]
        self.seconds = math.ceil(max(ends) * 1.3 / 10) * 10
        self.low = max(self.first.rate / 100, 1)
        self.high = 1.7 * max(max(storm.attempts) for storm in storms)

    def x(self, seconds):
        return svg.scale(seconds, 0, self.seconds, LEFT, RIGHT)

    def y(self, n):
        return svg.log_scale(n, self.low, self.high, BOTTOM, TOP)

    def axes(self):
        first = self.first
        self.box(LEFT, TOP, self.x(first.away) - LEFT, BOTTOM - TOP, "away")
        n = 10 ** math.ceil(math.log10(self.low))
        while n <= self.high:
            self.line(LEFT, self.y(n), RIGHT, self.y(n), "grid")
            self.text(LEFT - 8, self.y(n) + 4, f"{n:,}", anchor="end")
            n *= 10
        step = svg.step(self.seconds)
        for second in range(0, self.seconds + 1, step):
            self.text(self.x(second), BOTTOM + 18, f"{second:,}", anchor="middle")
        self.text((LEFT + RIGHT) / 2, BOTTOM + 38, "seconds since the links were lost", anchor="middle")
        self.turned((TOP + BOTTOM) / 2, "attempts per second")
        self.text(LEFT, 20, f"{first.devices:,} devices; the broker is away for {first.away} s (grey),"
                            f" then accepts {first.rate:,} a second (dashed)")

    def attempts(self, storm):
        """From the first attempt until all are back."""
        shown = list(enumerate(storm.attempts[: self.seconds + 1]))
        self.curve([(self.x(s + 0.5), self.y(n)) for s, n in shown if n or s], storm.key)

    def stems(self, storm):
        for s, n in enumerate(storm.attempts[: self.seconds]):
            if n:
                self.line(self.x(s + 0.5), BOTTOM, self.x(s + 0.5), self.y(n), "l " + storm.key)

    def label(self, storm, seconds, n, name):
        """Two lines, up from the point."""
        x, y = self.x(seconds), self.y(n)
        all_back = storm.back_s(1)
        self.text(x, y - 16, name, "b " + storm.key)
        self.text(x, y, f"all back after {all_back:,} s" if all_back else said(None), storm.key)

    def svg(self):
        jitter, fixed, doubled = self.storms
        self.axes()
        self.stems(doubled)
        self.line(LEFT, self.y(jitter.rate), RIGHT, self.y(jitter.rate), "rate")
        self.attempts(fixed)
        self.attempts(jitter)
        shown = [s for s, n in enumerate(doubled.attempts[: int(self.seconds * 0.75)]) if n]
        self.label(doubled, shown[-1] + 2, max(doubled.attempts) * 0.3, "doubled, not random")
        at = int(0.75 * (fixed.back_s(1) or self.seconds))
        self.label(fixed, at + 2, 1.2 * fixed.attempts[at], "always 1 s")
        at = jitter.back_s(0.99) or self.seconds // 2
        self.label(jitter, at + 5, jitter.rate / 4, "umqtt_full")
        return super().svg()


def options(arguments=()):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--devices", type=int, default=100000)
    parser.add_argument("--rate", type=int, default=1000, help="connections that the broker accepts in a second")
    parser.add_argument("--away", type=int, default=5, help="seconds until the broker is back")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    parser.add_argument("--svg", type=Path, metavar="FILE", default=env.ROOT / "tools/storm.svg")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    args = parser.parse_args(arguments)
    if min(args.devices, args.rate) < 1 or args.away < 0:
        parser.error("--devices and --rate begin at 1, --away at 0")
    return args


def main(arguments):
    args = options(arguments)
    storms = simulate(args)
    print(table(storms))
    args.svg.write_text(Chart(storms).svg())
    if args.json:
        numbers = {"devices": args.devices, "rate": args.rate, "away_s": args.away, "seed": args.seed,
                   "storms": [storm.as_json() for storm in storms]}
        args.json.write_text(json.dumps(numbers) + "\n")
    if args.write:
        return readme.write("storm", table(storms), README)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
