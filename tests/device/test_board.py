"""The library on a board: its heap, its speed, and what it does when link, broker or power go away.

Rule: the far end counts what arrives; the board tells what it did. Figures go to the report, none is asserted.
"""
import datetime
import json

import brokers
import certificates
import pytest
from far import wait_until
from proxy import DOWN, UP, Fault
from targets import TESTS

FLOOR = 8000  # bytes of heap that must be left for the program


def said(far, uid, count, seconds=20):
    """What the far end has heard, once it is `count` different messages: the broker has each before it does."""
    wait_until(lambda: len(set(far.payloads(f"{uid}/up"))) >= count, seconds)
    return far.payloads(f"{uid}/up")


def test_the_client_leaves_room_for_the_program(place, door, uid, report):
    place.board.stop()
    report["heap before"] = int(place.board.exec("import gc\ngc.collect()\nprint(gc.mem_free())"))
    ran = place.board.run("small_heap", "uses", door.url, uid, 50)
    report["heap after"] = ran.told("free")[0]
    assert report["heap after"] > FLOOR


def test_messages_take_no_byte_of_the_heap(place, door, uid):
    ran = place.board.run("small_heap", "locked", door.url, uid, 100, timeout=120)
    assert [ran.told(f"more-{qos}") for qos in range(3)] == [[0], [0], [0]]


def test_links_that_are_cut_lose_nothing(place, door, far, uid, report):
    faults = Fault("rst", UP, 300), Fault("fin", DOWN, 60), Fault("rst", DOWN, 40), Fault("fin", UP, 400)
    door.next(*faults)
    ran = place.board.run("on_board", "numbers", door.url, uid, 100)
    assert door.fired()
    away = ran.told("away")
    assert len(away) >= 2 and sorted(set(map(int, said(far, uid, 100)))) == list(range(100))
    report["reconnect"] = sorted(away)[len(away) // 2]


def test_a_broker_that_is_restarted_loses_nothing(place, uid):
    with place.broker(persistence=True) as broker, place.door(broker.port) as door:
        running = place.board.begin("on_board", "numbers", door.url, uid, 60, 10)
        running.expect("up")
        door.refuse()
        running.expect("down")
        broker.restart()
        door.accept()
        running.finish()
        assert running.told("up")[1:] and running.told("resent")


def test_without_a_network_nothing_is_tried_and_nothing_is_lost(place, door, far, uid, request):
    """Wi-Fi is dropped where --wifi says how to join it again; elsewhere the gate says that there is none."""
    wifi = request.config.option.wifi or ()
    place.board.run("on_board", "loses_the_network", door.url, uid, *wifi, timeout=180)
    assert said(far, uid, 3) == ["0", "1", "2"]


def test_a_link_that_falls_silent_is_found_by_keepalive(place, door, uid):
    door.next(Fault("silent", DOWN, 6))  # CONNACK and the first PINGRESP
    ran = place.board.run("on_board", "waits_for_silence", door.url, uid)
    assert "down keep alive timeout" in [line.split(" (")[0] for line in ran.lines], ran.lines


def test_the_server_of_a_tls_link_is_known(place, uid, tmp_path):
    """The broker's port with TLS; another authority's server is refused."""
    if certificates.unavailable():
        pytest.skip(certificates.unavailable())
    now = datetime.datetime.now(datetime.timezone.utc)
    place.board.run("on_board", "set_clock", *now.timetuple()[:6])
    certificates.Authority(tmp_path).issue("server", place.host)
    certificates.Authority(tmp_path, "other")
    place.board.stop()
    for name in ("ca", "other"):
        place.board.write(f"{TESTS}/{name}.der", (tmp_path / f"{name}.crt.der").read_bytes())
    port = brokers.free_port()
    with place.broker(settings=brokers.tls_listener(port, tmp_path, "server")), place.door(port) as door:
        url = door.url.replace("mqtt://", "mqtts://")
        ran = place.board.run("on_board", "secure", url, uid, f"{TESTS}/ca.der", f"{TESTS}/other.der", timeout=120)
    assert "refused unknown CA" in ran.lines, ran.lines


def test_what_was_accepted_before_deep_sleep_is_sent_after_it(place, door, far, uid):
    board = place.board
    board.stop()
    board.put("on_board")
    board.write(f"{TESTS}/sleep.json", json.dumps([door.url, uid]).encode())
    board.starts_with(f"import sys\nsys.path.append({TESTS!r})\nimport on_board\non_board.sleeps()\n")
    said(far, uid, 2, 60)
    board.again()
    board.run("on_board", "forgets")
    assert said(far, uid, 2) == ["before", "after"]


@pytest.mark.parametrize("qos, count", ((0, 300), (1, 200), (2, 100)))
def test_speed(place, door, uid, report, qos, count):
    ms = place.board.run("on_board", "speed", door.url, uid, qos, count, timeout=120).told("ms")[0]
    report[f"qos{qos}"] = count * 1000 // max(ms, 1)


def test_a_soak_over_bad_links_loses_nothing_and_grows_nowhere(place, door, uid, report, request):
    """--soak says how long; each link ends somewhere."""
    seconds = request.config.option.soak
    door.next(*[Fault(("rst", "fin", "silent")[i % 3], i % 2, 400 + 977 * i % 7000) for i in range(5 * seconds)])
    ran = place.board.run("on_board", "soak", door.url, uid, seconds, timeout=seconds + 90)
    assert ran.told("missed") == [0] and ran.told("links")[0] > 3
    assert ran.told("more")[0] < 1024, ran.lines
    report["soak"] = f"{seconds} s, {ran.told('messages')[0]} messages, {ran.told('links')[0]} links"
