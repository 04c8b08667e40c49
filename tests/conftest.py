"""What every test on a PC can use: the brokers, a name of its own, and a limit for its time.

Rule: where something is not installed its tests are skipped with one line; under --all that is a failure.
"""
import signal
import threading
from collections import Counter

import brokers
import near
import pytest
from far import broker_that_keeps_sessions
from interpreters import pytest_collect_file, pytest_pycollect_makeitem  # noqa: F401  pytest looks for them here

LIMIT = 60  # s


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="nothing may be skipped")
    parser.addoption("--long", action="store_true", help="run the long soaks too")


def pytest_configure(config):
    """A job in the background ignores Ctrl-C, and so does all that it starts, which tests want to interrupt."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    long = [item for item in items if item.get_closest_marker("long")]
    if long and not config.option.long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and item.config.option.all and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and --all forbids that: {call.excinfo.value}"
    return report


def pytest_terminal_summary(terminalreporter):
    """One line for each reason to skip, not for each test."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"skipped: {reason} ({count} tests)")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """A test that hangs fails, and the run goes on."""
    if not isinstance(item, pytest.Function) or threading.current_thread() is not threading.main_thread():
        return (yield)
    marker = item.get_closest_marker("limit")
    limit = marker.args[0] if marker else LIMIT

    def ring(*_):
        pytest.fail(f"the test took more than {limit} s")  # no Exception: a test that tries again lets it pass

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(limit)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def uid(request):
    """A short name that no other test uses: for topics and client ids."""
    uid.count += 1
    return f"{getattr(request.config, 'workerinput', {}).get('workerid', 'gw')}-{uid.count}"


uid.count = 0


@pytest.fixture(params=near.KINDS)
def kind(request):
    """What our client runs on."""
    if near.unavailable(request.param):
        pytest.skip(near.unavailable(request.param))
    return request.param


@pytest.fixture(scope="session")
def _running():
    """The brokers of this test run: each is started when the first test asks for it."""
    started = {}
    yield started
    for broker in started.values():
        broker.stop()


def _get(broker_class, started):
    why = broker_class.available()
    if why:
        pytest.skip(why)
    if broker_class not in started:
        started[broker_class] = broker_class()
    broker = started[broker_class]
    if not broker.running():
        broker.start()
    return broker


@pytest.fixture(params=brokers.ALL, ids=lambda broker: broker.name)
def _broker_class(request):
    return request.param


@pytest.fixture
def broker(_broker_class, _running):
    """Each broker in turn, running; shared with other tests, so use uid in topics and client ids."""
    return _get(_broker_class, _running)


@pytest.fixture(scope="module")
def keeper():
    """A mosquitto of a file's own, which keeps sessions."""
    with broker_that_keeps_sessions() as broker:
        yield broker


@pytest.fixture
def mosquitto(_running):
    return _get(brokers.Mosquitto, _running)


@pytest.fixture
def iotcore(_running):
    return _get(brokers.IotCore, _running)
