"""Two boards at once: the sensor on one and the bulb on the other, each with a main.py of its own.

Rule: what the one does is seen at the other through the broker, and by a third who listens. Both are virtual.
"""
import json

import deploy
import env
import install
import mpy
import pytest
import virtual
from device import Board
from far import Far, wait_until

pytestmark = pytest.mark.skipif(bool(virtual.unavailable()), reason=str(virtual.unavailable()))
pytest.importorskip("mpremote", reason="mpremote is not installed")


def put(board, library, port, settings):
    """Deploy an application of ports/ with these settings, and start it."""
    with Board(board.device) as line:
        wanted = dict(library)
        wanted.update(deploy.application(env.ROOT / "ports" / port, line.mpy, line.platform))
        plan = install.Plan(line, {**wanted, deploy.CONFIG: json.dumps(settings).encode()})
        plan.install()
        line.start()


@pytest.fixture
def two(tmp_path, mosquitto, uid):
    """A sensor in the attic, and a bulb on the desk that follows it."""
    for name in ("sensor", "bulb"):
        (tmp_path / name).mkdir()
    sensor = {"topic": f"{uid}/attic", "period_s": 0.2, "batch": 1, "confirm": f"{uid}/desk/seen"}
    library = deploy.files_of("standard", mpy.VERSION)
    bulb = {"topic": f"{uid}/desk", "follow": f"{uid}/attic/reading"}
    with virtual.VirtualBoard(tmp_path / "sensor") as one, virtual.VirtualBoard(tmp_path / "bulb") as other:
        put(other, library, "rp2", {"broker": mosquitto.url, "client_id": f"{uid}-bulb", "bulb": bulb})
        put(one, library, "esp32", {"broker": mosquitto.url, "client_id": f"{uid}-sensor", "sensor": sensor})
        yield


def test_the_bulb_obeys_a_switch_and_every_reading_and_the_sensor_hears_of_it(two, mosquitto, uid):
    with Far(mosquitto.port) as far:
        def told(topic, key):
            return [json.loads(text)[key] for text in far.payloads(f"{uid}/{topic}")]

        far.subscribe(f"{uid}/#", 1)
        far.publish(f"{uid}/desk/set", "on", 2)
        wait_until(lambda: told("desk/state", "state")[-1:] == ["ON"])
        wait_until(lambda: max(told("attic/reading", "first"), default=0) > 3)  # these were confirmed
        assert max(told("desk/seen", "next")) > 3
