"""Which files of the library a board gets: one table, which deploy, mip and manifests read.

Rule: a profile is a list of modules, and each holds what its modules import at their top; an optional module that
is not there costs nothing. `python3 tools/profiles.py --write` makes the package files of mip from the table.
"""
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "umqtt_full"
NEVER = ("_cpython", "__main__")  # the stand-ins for a PC, and the command line

_MINIMAL = (
    "__init__ errors wire message v4 inflight writer engine net link router client"
    " names fields filters ending url ident counters trace"  # in memory only while they are needed
).split()
_STANDARD = [*_MINIMAL, "tls", "tlscontext", "tlserror", "store", "stream", "sink"]
NAMES = ("minimal", "standard", "full")


def modules(profile):
    """The names of a profile's modules. minimal: TCP; standard: TLS, a store and streams, too; full: all."""
    if profile == "full":
        return sorted(file.stem for file in PACKAGE.glob("*.py") if file.stem not in NEVER)
    return sorted({"minimal": _MINIMAL, "standard": _STANDARD}[profile])


def sources(profile):
    """The files of a profile."""
    return [PACKAGE / f"{module}.py" for module in modules(profile)]


def package_file(profile):
    """Where mip's list of a profile lies: the one of full is the project's own."""
    return ROOT / "package.json" if profile == "full" else PACKAGE / f"{profile}.json"


def package_text(profile, version):
    """mip's list of a profile; its sources are told from where the list lies."""
    folder = package_file(profile).parent
    urls = [[f"umqtt_full/{file.name}", file.relative_to(folder).as_posix()] for file in sources(profile)]
    lines = ",\n".join("    " + json.dumps(url) for url in urls)
    return f'{{\n  "urls": [\n{lines}\n  ],\n  "version": {json.dumps(version)}\n}}\n'


def version():
    line = next(line for line in (PACKAGE / "__init__.py").read_text().splitlines() if "__version__" in line)
    return line.split('"')[1]


def main(arguments):
    stale = [name for name in NAMES if not _is_fresh(name)]
    for name in stale:
        file = package_file(name)
        if "--write" in arguments:
            file.write_text(package_text(name, version()))
        print(file.relative_to(ROOT), "written" if "--write" in arguments else "is not what profiles.py says")
    return 1 if stale and "--write" not in arguments else 0


def _is_fresh(profile):
    file = package_file(profile)
    return file.is_file() and file.read_text() == package_text(profile, version())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
