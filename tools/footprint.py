"""What umqtt_full takes of a board: bytes of flash, heap of its import, of a client, of each operation.

    python3 tools/footprint.py [--fast] [--json FILE] [--write] [--budget]

Rule: only what was measured here is said. 32 bits: MicroPython's WebAssembly port, whose objects are as large as
on an ESP32 or a Pico; 64 bits: the unix port. Without --fast also .py, and the smallest heap (needs mosquitto).

- .mpy: bytes of all files of a profile in the compact build, which boards get (see mpy.py): the same for each
  architecture. What is compiled for one architecture has other sizes: `native`. `readable`: the least profile with
  --readable.
- import: heap after `import ..`, and after a client was made and let go, less heap before; what MicroPython itself
  has to import is imported before. `rom`: the .mpy files run in place, from an image in ROMFS that mpremote built;
  what the image takes of the heap here, where a board has it in flash, is not counted. The WebAssembly port has
  no ROMFS.
- client: heap after MQTTClient(..) less heap before it, for several sizes; `base` is what is left of each when
  its buffers are taken off (see heaps.buffers).
- operations: heap that 100 runs of each take while nothing is collected, at one client and a stream in memory.
- smallest heap: the least -X heapsize of the unix port with which measure/smallest.py goes through: connect,
  subscribe, 50 QoS 1 messages there and back one by one, from .mpy.

--write puts the tables into README.md and the figures into tools/figures/footprint.json; --budget makes
tools/budget.json anew from what was measured (to raise a limit is to be written down in CHANGELOG.md).
"""
import argparse
import json
import sys
from pathlib import Path

import env
import heaps
import mpy
import profiles
import readme
from heaps import PACKAGE, mp

FIGURES = env.ROOT / "tools/figures/footprint.json"
BUDGET = env.ROOT / "tools/budget.json"
ROUND = 256  # bytes: a limit is the next multiple but one; the length of a path moves the heap a little


def measure(fast=False, ports=heaps.PORTS):
    """(all figures as one dictionary, what is missing)."""
    missing = []
    folder = mp.compact_folder()
    folders = {"mpy": folder, "rom": mp.rom_folder()} | ({} if fast else {"py": env.ROOT})
    sizes = file_sizes(folder)
    figures = {"mpy": sizes, **heaps.imports(ports, folders)}
    for name, row in figures["profiles"].items():
        row["mpy"] = sum(sizes.get(module, 0) for module in profiles.modules(name))
    for row in figures["modules"].values():
        row["mpy"] = sum(sizes[module] for module in row["loads"])
    figures["readable"] = heaps.profile(ports, {"mpy": mp.mpy_folder()}, "minimal")
    figures["readable"]["mpy"] = sum(map(file_sizes(mp.mpy_folder()).get, profiles.modules("minimal")))
    figures["clients"] = heaps.clients(ports, folder)
    figures["operations"] = heaps.operations(ports, mp.mpy_folder())  # fake.py has private names
    if not fast:
        figures["native"] = native()
        figures["smallest"] = heaps.smallest_heaps(missing)
    return figures, missing


def file_sizes(folder):
    """{module: bytes of its .mpy}."""
    return {file.stem: file.stat().st_size for file in sorted((folder / PACKAGE).iterdir())}


def native():
    """Bytes of each file that is another for each architecture: {module: {architecture: bytes}}."""
    found = {}
    plain = mpy.files_of("full", mpy.BYTECODE)
    for march in mpy.BOARDS:
        for file, data in mpy.files_of("full", march).items():
            if data != plain[file]:
                found.setdefault(file[:-4], {})[march] = len(data)
    return found


def formula(client):
    """What a client takes, of (bits, rows of figures)."""
    bits, rows = client
    base = number(max(row["base"] for row in rows))
    return f"{base} + `rx` + `slots` x (`slot_size` + {heaps.words(int(bits))}) on {bits} bits"


def number(n):
    return "" if n is None else f"{n:,}"


def tables(figures):
    """What stands in the README."""
    heads = "Bytes of flash, and of heap after the import. In ROM: from a ROMFS image, 64 bits only:"
    least = [number(figures["readable"][key]) for key in ("mpy", "heap32_mpy", "heap64_mpy")]
    parts = [heads, import_table(figures)]
    parts.append("`minimal` made with `--readable`: {} of .mpy, heap {} (32 bits), {} (64 bits).".format(*least))
    for name, sizes in figures["native"].items():
        each = ", ".join(f"{march} {number(n)}" for march, n in sizes.items())
        parts.append(f"`{name}` compiled for one architecture: {each}.")
    parts += ["Bytes of heap of one client:", client_table(figures["clients"])]
    parts.append("That is at most " + " and ".join(map(formula, figures["clients"].items())) + ".")
    parts += ["The smallest heap for 50 QoS 1 messages there and back, on 64 bits; the program is in it:"]
    parts.append(smallest_table(figures["smallest"]))
    return "\n\n".join(parts)


def import_table(figures):
    heads = ["", ".mpy", "32 bits, .mpy", "32 bits, .py", "64 bits, .mpy", "64 bits, .py", "64 bits, in ROM"]
    keys = ("mpy", "heap32_mpy", "heap32_py", "heap64_mpy", "heap64_py", "heap64_rom")
    rows = [*figures["profiles"].items(), *((f"+ `{name}`", row) for name, row in figures["modules"].items())]
    return readme.table(heads, [[name, *(number(row.get(key)) for key in keys)] for name, row in rows])


def client_table(clients):
    heads = ["`rx`, `slots`, `slot_size`", *(f"{bits} bits" for bits in clients)]
    rows = []
    for lines in zip(*clients.values()):
        sizes = [f"{lines[0][name]:,}" for name in ("rx", "slots", "slot_size")]
        rows.append([", ".join(sizes), *(number(line["heap"]) for line in lines)])
    return readme.table(heads, rows)


def smallest_table(smallest):
    heads = ["", "messages of 64 bytes", "of 1,024 bytes"]
    return readme.table(heads, [[name, number(row["64"]), number(row["1024"])] for name, row in smallest.items()])


# -- the budget


def limits(figures):
    """What the budget limits, {name: bytes}."""
    found = {}
    for kind in ("profiles", "modules"):
        for name, row in figures[kind].items():
            for key in ("mpy", "heap32_mpy", "heap64_mpy", "heap64_rom"):
                if key in row:
                    found[f"{name} {key}"] = row[key]
    for bits, rows in figures["clients"].items():
        found[f"client heap{bits}"] = rows[0]["heap"]
    return found


def over(figures, budget):
    """A line for each figure that is beyond its limit, or has none."""
    found = limits(figures)
    lines = [f"{name}: {found[name]:,} bytes, {found[name] - budget[name]:,} beyond the budget"
             for name in found if name in budget and found[name] > budget[name]]
    lines += [f"{name}: {found[name]:,} bytes, and no budget" for name in found if name not in budget]
    return lines


def options(arguments):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="without .py and without the smallest heap")
    parser.add_argument("--json", type=Path, metavar="FILE", default=env.ROOT / "build/footprint.json")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    parser.add_argument("--budget", action="store_true", help="make tools/budget.json anew")
    args = parser.parse_args(arguments)
    if args.write and args.fast:
        parser.error("--write needs all figures")
    return args


def main(arguments):
    args = options(arguments)
    env.ensure()
    env.ensure_node()
    reasons = [why for why in (port.unavailable() for port in heaps.PORTS) if why]
    if reasons:
        print(*reasons, sep="\n", file=sys.stderr)
        return 1
    figures, missing = measure(args.fast)
    for line in missing:
        print(line, file=sys.stderr)
    text = json.dumps(figures, indent=1) + "\n"
    args.json.parent.mkdir(exist_ok=True)
    args.json.write_text(text)
    print("\n".join(f"{name}: {n:,}" for name, n in limits(figures).items()) if args.fast else tables(figures))
    if args.budget:
        budget = {name: (n // ROUND + 2) * ROUND for name, n in limits(figures).items()}
        BUDGET.write_text(json.dumps(budget, indent=1) + "\n")
    beyond = over(figures, json.loads(BUDGET.read_text()))
    print(*beyond, sep="\n")
    if args.write:
        FIGURES.write_text(text)
        return readme.write("footprint", tables(figures))
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
