"""What the device tests have measured on a board: one table for each, in build/devices/.

Rule: a figure that was not measured is not in it. `python3 tests/device/report.py` prints all tables.
"""
import datetime
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "build/devices"
ROWS = (
    ("heap before", "heap free before the import, bytes"),
    ("heap after", "heap free with a client after 50 messages both ways, bytes"),
    ("qos0", "messages a second, QoS 0"),
    ("qos1", "messages a second, QoS 1"),
    ("qos2", "messages a second, QoS 2"),
    ("reconnect", "back after a cut link, ms"),
    ("soak", "soak"),
)


def write(place, figures):
    """Write the figures of a board; return where."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    board = place.board
    about = {"kind": place.kind, "board": board.machine, "firmware": board.firmware,
             "date": datetime.date.today().isoformat()}
    file = FOLDER / f"{place.kind}-{board.platform}.json"
    file.write_text(json.dumps({**about, "figures": figures}, indent=1) + "\n")
    return file


def table(told):
    """The table of one board, for a README."""
    title = f"{told['board']} ({told['kind']}), {told['firmware']}, {told['date']}"
    lines = [title, "", "| | |", "| --- | ---: |"]
    for key, words in ROWS:
        if key in told["figures"]:
            figure = told["figures"][key]
            lines.append(f"| {words} | {figure:,} |" if isinstance(figure, int) else f"| {words} | {figure} |")
    return "\n".join(lines)


def main():
    for file in sorted(FOLDER.glob("*.json")):
        print(table(json.loads(file.read_text())), end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
