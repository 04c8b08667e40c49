"""Run all checks: python3 tools/test.py [--all] [--long] [pytest arguments...]

Rule: any fault makes the exit code 1, and the last line says how many tests passed. What is not installed is
skipped with one line each; with --all nothing may be skipped. --long runs the long soaks too.
"""
import json
import os
import re
import subprocess
import sys

import env
import layers

LINES = 95  # per cent of umqtt_full's lines that CPython's tests must reach, where none is skipped
DATA = env.ROOT / "build"


def main(arguments):
    everything = "--all" in arguments
    python = env.ensure(extra=everything)
    no_node = env.ensure_node()
    if everything and missing(python, no_node):
        return 1
    failed = []
    if lint(python):
        failed.append("ruff")
    if layers.main():
        failed.append("layers")
    code, closing = run_pytest(python, arguments)
    if code:
        failed.append("pytest")
    whole = not [a for a in arguments if a not in ("--all", "--long")] and " skipped" not in closing
    if not coverage(python, must_reach=whole):
        failed.append("coverage")
    if failed:
        print("FAILED:", ", ".join(failed))
    print(closing)
    return 1 if failed else 0


def missing(python, no_node):
    """Under --all: print what is not there, one line each; True when there is such a thing."""
    program = "import components; print(*components.missing(), sep='\\n')"
    path = os.pathsep.join(str(env.ROOT / folder) for folder in ("tests/host", "tools"))
    done = subprocess.run([python, "-c", program], env={**os.environ, "PYTHONPATH": path},
                          stdout=subprocess.PIPE, text=True, check=True)
    reasons = [no_node, *done.stdout.splitlines()]
    for reason in filter(None, reasons):
        print("missing:", reason)
    return any(reasons)


def lint(python):
    return subprocess.run([python, "-m", "ruff", "check", "--output-format", "concise", "--quiet", "."],
                          cwd=env.ROOT).returncode


def run_pytest(python, arguments):
    """Return (exit code, the line with the counts); everything is shown as it comes."""
    for old in DATA.glob(".coverage*"):
        old.unlink()
    command = [python, "-m", "coverage", "run", "-m", "pytest", *arguments]
    alone = ("-n", "--numprocesses", "--device", "--emulate")
    if not any(a in ("--pdb", "-s") or a.startswith(alone) for a in arguments):
        command += ["-n", "2", "--dist", "loadfile"]
    closing = "no tests ran"
    with subprocess.Popen(command, cwd=env.ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            if re.search(r"(\d+ (passed|failed|error|skipped|deselected)|no tests ran).* in [\d.]+s", line):
                closing = line.strip("= \n")
    return process.returncode, closing


def coverage(python, must_reach):
    """Print the report; return False when a whole run reached too few lines."""
    def run(*arguments):
        command = [python, "-m", "coverage", *arguments]
        return subprocess.run(command, cwd=env.ROOT, stdout=subprocess.PIPE, text=True)

    run("combine", "--quiet")
    print(run("report").stdout)
    if run("json", "--quiet", "-o", DATA / "coverage.json").returncode:
        print("coverage: nothing was measured")
        return not must_reach
    totals = json.loads((DATA / "coverage.json").read_text())["totals"]
    lines = percent(totals["covered_lines"], totals["num_statements"])
    branches = percent(totals.get("covered_branches", 0), totals.get("num_branches", 0))
    print(f"coverage of umqtt_full on CPython: {lines:.1f} % of lines, {branches:.1f} % of branches")
    if must_reach and lines < LINES:
        print(f"coverage: less than {LINES} % of lines")
        return False
    return True


def percent(part, whole):
    return 100 * part / whole if whole else 100


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
