"""The check that imports go down only, so that an optional part stays a file that need not be there.

Rule: `python3 tools/layers.py [folder]` prints one line for each import or statement that is out of place.
"""
import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

LAYERS = (
    ("wire", "errors", "names", "message"),
    ("v4", "v5", "props", "fields"),
    ("engine", "inflight", "writer"),
    ("net", "tls", "tlscontext", "tlserror", "ws", "frames"),
    ("link", "router", "store", "sink", "stream", "filters", "ending", "url", "ident", "counters", "trace"),
    ("client", "aio"),
    ("simple", "robust", "__main__"),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
PROTOCOL = 2  # layers up to this one never see a socket
SYSTEM = {"socket", "ssl", "tls", "asyncio", "network", "machine", "os", "select"}
BOARD = {"network", "machine", "esp32", "rp2"}
UNIQUE_ID = ("ident", "machine")  # the one exception: a client id where the application gives none
STAND_INS = "_cpython"
STAND_IN_USERS = ("__init__", "net", "tls", "aio")
INIT_MAY = ("client", "errors", STAND_INS)


def check(root):
    """Return the faults of the package umqtt_full in a folder, one line each."""
    faults, graph = [], {}
    files = sorted((root / "umqtt_full").rglob("*.py"))
    known = {STAND_INS, *LEVEL, *(file.stem for file in files)}
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
        where = file.relative_to(root)
        inside, outside = imports(tree, known)
        faults += [f"{where}:{line}: {fault}" for line, fault in statements(tree)]
        faults += [f"{where}:{line}: {fault}" for line, fault in system_faults(file.stem, outside)]
        faults += [f"{where}:{line}: {fault}" for line, fault in layer_faults(file.stem, inside)]
        graph[file.stem] = [name for _, name in inside if file.stem in LEVEL]
    return faults + [f"umqtt_full: imports in a circle: {' -> '.join(ring)}" for ring in circles(graph)]


def imports(tree, known):
    """Return [(line, module)] of the package's own modules, those known among them, and of all others."""
    inside, outside = [], []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first, *rest = alias.name.split(".")
                (inside if first == "umqtt_full" else outside).append(
                    (node.lineno, (rest or ["__init__"])[0] if first == "umqtt_full" else first)
                )
        elif isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".")
            if not node.level and parts[0] != "umqtt_full":
                outside.append((node.lineno, parts[0]))
                continue
            own = parts if node.level else parts[1:]
            if own and own[0]:
                inside.append((node.lineno, own[0]))
            else:  # `from . import name`: a module, or something that the package itself defines
                names = {alias.name if alias.name in known else "__init__" for alias in node.names}
                inside += [(node.lineno, name) for name in sorted(names)]
    return inside, outside


def layer_faults(name, inside):
    if name == STAND_INS:
        return [(line, f"_cpython imports {other}: it is below all") for line, other in inside]
    if name == "__init__":
        others = [(line, other) for line, other in inside if other not in INIT_MAY]
        return [(line, f"__init__ may not import {other}") for line, other in others]
    if name not in LEVEL:
        return [(1, f"{name} has no layer: give it one in tools/layers.py")]
    faults = []
    for line, other in inside:
        if other == STAND_INS:
            if name not in STAND_IN_USERS:
                faults.append((line, f"only {' and '.join(STAND_IN_USERS)} may import {STAND_INS}"))
        elif other == "__init__":
            if name != "__main__":
                faults.append((line, f"{name} imports the package itself, which is above it"))
        elif other not in LEVEL:
            faults.append((line, f"{name} imports {other}, which has no layer"))
        elif LEVEL[other] > LEVEL[name]:
            up = f"{name} (layer {LEVEL[name]}) imports {other} (layer {LEVEL[other]})"
            faults.append((line, f"{up}, upwards"))
    return faults


def system_faults(name, outside):
    faults = []
    for line, other in outside:
        if (name, other) == UNIQUE_ID:
            continue
        if other in BOARD:
            faults.append((line, f"{name} imports {other}: only ports/ may"))
        elif other in SYSTEM and LEVEL.get(name, PROTOCOL + 1) <= PROTOCOL:
            what = f"{name} (layer {LEVEL[name]}) imports {other}"
            faults.append((line, f"{what}: the protocol sees no system"))
    return faults


def statements(tree):
    """Find what is gone at -O1, and what hides every error."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            yield node.lineno, "assert: it is gone at -O1, raise an error"
        elif isinstance(node, ast.ExceptHandler) and node.type is None:
            yield node.lineno, "bare except: name the errors"


def circles(graph):
    """Return the rings of modules that import each other, each once."""
    found = {}

    def walk(name, path):
        if name in path:
            ring = path[path.index(name):]
            found.setdefault(frozenset(ring), ring + [name])
            return
        for other in graph.get(name, ()):
            if LEVEL.get(other) == LEVEL.get(name):  # between layers, one direction is a fault already
                walk(other, path + [name])

    for name in sorted(graph):
        walk(name, [])
    return list(found.values())


def main(root=ROOT):
    faults = check(Path(root))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
