"""The README's tables: how they look, and where they stand.

Rule: what a tool writes stands between <!-- name:begin --> and <!-- name:end -->, each alone on its line.
"""
import sys

import env

README = env.ROOT / "README.md"


def table(heads, rows, left=1):
    """A table in Markdown; the first `left` columns hold words, the others numbers."""
    lines = [heads, ["---"] * left + ["---:"] * (len(heads) - left), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def markers(name):
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def between(text, name):
    """The numbers of the lines of both markers; ValueError unless there is one of each, in order."""
    begin, end = markers(name)
    lines = [line.strip() for line in text.splitlines()]
    if lines.count(begin) != 1 or lines.count(end) != 1 or lines.index(begin) > lines.index(end):
        raise ValueError(f"needs one line {begin} and, below it, one line {end}")
    return lines.index(begin), lines.index(end)


def put(text, name, new):
    """`text` with `new` between the markers."""
    first, last = between(text, name)
    lines = text.splitlines(keepends=True)
    return "".join(lines[: first + 1]) + new + "\n" + "".join(lines[last:])


def got(text, name):
    """What stands between the markers."""
    first, last = between(text, name)
    return "\n".join(text.splitlines()[first + 1 : last])


def write(name, new, path=None):
    """Put `new` into README.md: 0, or 1 after saying why that does not go."""
    path = path or README
    try:
        path.write_text(put(path.read_text(), name, new))
    except ValueError as e:
        print(f"{path.name}: {e}", file=sys.stderr)
        return 1
    return 0


def frame(text):
    """What of a text with tables does not change with the figures: the heads, the first cells, the columns."""
    found = []
    for line in text.splitlines():
        if line.startswith("| "):
            head = not found or not found[-1]
            found.append(line if head else (line.split("|")[1].strip(), line.count("|")))
        else:
            found.append("")
    return [each for each in found if each]
