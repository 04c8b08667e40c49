"""Charts as SVG: axes, lines, bars and words, readable on a light page and on a dark one.

Rule: a series has a name, and its colour comes from that name's place in COLOURS; the style follows the page's.
"""
import math

LEFT, RIGHT, TOP, BOTTOM = 80, 744, 34, 324  # of the plot
WIDTH, HEIGHT = 760, 372

PAGE = {"back": ("#ffffff", "#0d1117"), "text": ("#24292f", "#e6edf3"), "grid": ("#d8dee4", "#30363d"),
        "away": ("#eaeef2", "#21262d")}
COLOURS = (("#0969da", "#58a6ff"), ("#bc4c00", "#f0883e"), ("#8250df", "#bc8cff"), ("#1a7f37", "#3fb950"),
           ("#9a6700", "#d29922"), ("#6e7781", "#8b949e"))


def style(series):
    """The style sheet for series of these names, in the order of COLOURS."""
    def rules(i):
        page = {name: pair[i] for name, pair in PAGE.items()}
        lines = {name: pair[i] for name, pair in zip(series, COLOURS)}
        fill = "".join(f".{name}{{fill:{c}}}" for name, c in {**page, **lines}.items())
        strokes = "".join(f".l.{name}{{stroke:{c}}}" for name, c in lines.items())
        edges = f".t{{stroke:{page['back']}}}.grid{{stroke:{page['grid']}}}.rate{{stroke:{page['text']}}}"
        return fill + strokes + edges

    return (".t{font:13px system-ui,sans-serif;stroke-width:4px;paint-order:stroke;stroke-linejoin:round}"
            ".b{font-weight:600}.l{stroke-width:2;stroke-linejoin:round}polyline.l{fill:none}"
            f".rate{{stroke-dasharray:5 4}}\n{rules(0)}\n"
            f"@media (prefers-color-scheme:dark){{{rules(1)}}}\n")


class Canvas:
    """The parts of a picture, drawn one after another."""

    def __init__(self, name, series, height=HEIGHT):
        self.name, self.series, self.height = name, series, height
        self.parts = []

    def text(self, x, y, words, cls="text", anchor="start", more=""):
        words = words.replace("&", "&amp;").replace("<", "&lt;")
        cls = f'class="t {cls}" text-anchor="{anchor}"'
        self.parts.append(f'<text x="{x:.0f}" y="{y:.0f}" {cls}{more}>{words}</text>')

    def line(self, x1, y1, x2, y2, cls):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{cls}"/>')

    def box(self, x, y, width, height, cls):
        size = f'width="{width:.1f}" height="{height:.1f}"'
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} class="{cls}"/>')

    def curve(self, points, cls):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{points}" class="l {cls}"/>')

    def turned(self, y, words):
        """Along the left edge, upwards."""
        self.text(14, y, words, anchor="middle", more=f' transform="rotate(-90 14 {y:.0f})"')

    def svg(self):
        return "\n".join((
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}"'
            f' height="{self.height}" role="img" aria-label="{self.name}">',
            f"<style>\n{style(self.series)}</style>",
            f'<rect width="{WIDTH}" height="{self.height}" class="back"/>',
            *self.parts,
            "</svg>\n",
        ))


def step(most, count=10):
    """The distance of at most `count` grid lines up to `most`: 1, 2 or 5 times a power of ten."""
    return next(s for k in range(12) for s in (10**k, 2 * 10**k, 5 * 10**k) if most <= count * s)


def scale(value, low, high, first, last):
    """Where a value between `low` and `high` lies between the places `first` and `last`."""
    return first + (last - first) * (value - low) / (high - low)


def log_scale(value, low, high, first, last):
    """The same on a logarithmic scale; what is below `low` lies at `first`."""
    return first + (last - first) * math.log(max(value, low) / low) / math.log(high / low)
