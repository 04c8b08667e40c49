# Run the test functions of one module, and say of each how it went.
# Rule: the same on a PC, `micropython run.py test_x [names]`, on a board `import run; run.run("test_x")`.
# A test is ok only when its "==> ok" is seen, so a crash can never look like a success.
import gc
import sys


def run(module, names=None):
    """Run the named functions, or all whose names begin with test_; return how many failed."""
    tests = __import__(module)
    if names is None:
        names = sorted(name for name in dir(tests) if name.startswith("test_"))
    failed = 0
    for name in names:
        gc.collect()
        print("==> begin", name)
        verdict = one(getattr(tests, name))
        print("\n==> " + verdict, name)
        failed += verdict == "FAIL"
    print("==> end", module)
    return failed


def one(test):
    """Call a test and return ok, SKIP or FAIL, after printing why."""
    try:
        test()
    except (Exception, SystemExit) as e:
        if type(e).__name__ == "SkipTest":
            print(e)
            return "SKIP"
        sys.print_exception(e)
        return "FAIL"
    return "ok"


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:] or None)
