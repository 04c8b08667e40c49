"""More QoS 2 messages at once than there is room for their ids: each is delivered exactly once, in order.

Rule: the surplus is neither delivered nor acknowledged; when the others are done the client closes and
resumes by itself, and the broker sends the surplus again.
"""
import brokers
import pytest
from far import Far
from hostile import PRESENT, Hostile

import umqtt_full

RECEIVE_MAXIMUM = 0x93


def message(packet_id, dup=False):
    return f"3{'c' if dup else '4'}07 000161 {packet_id:04x} {packet_id:04x}"


def delivered(broker):
    return [int.from_bytes(payload, "big") for _, payload in broker.got]


@pytest.mark.parametrize("room", (1, 4, 32))
def test_the_surplus_waits_for_the_next_link_and_comes_once_in_order(room):
    with Hostile(clean=False, qos2_ids=room) as broker:
        peer = broker.up()
        fit, surplus = range(1, room + 1), range(room + 1, 2 * room + 1)
        peer.send(*[message(i) for i in (*fit, *surplus)])
        peer.expect(*[f"5002{i:04x}" for i in fit])
        peer.silent()
        assert delivered(broker) == list(fit) and broker.c.counters["deferred"] == room
        broker.alive()
        peer.send(*[f"6202{i:04x}" for i in fit])
        peer.expect(*[f"7002{i:04x}" for i in fit])
        broker.ended(RECEIVE_MAXIMUM)
        peer = broker.up(PRESENT)
        peer.send(*[message(i, dup=True) for i in surplus])
        peer.expect(*[f"5002{i:04x}" for i in surplus])
        peer.send(*[f"6202{i:04x}" for i in surplus])
        peer.expect(*[f"7002{i:04x}" for i in surplus])
        assert delivered(broker) == [*fit, *surplus]
        broker.alive()


def test_room_that_is_free_again_is_not_given_to_a_message_behind_the_surplus():
    with Hostile(clean=False, qos2_ids=2) as broker:
        peer = broker.up()
        peer.send(message(1), message(2), message(3))
        peer.expect("50020001", "50020002")
        peer.send("62020001")
        peer.expect("70020001")
        peer.send(message(4), message(3, dup=True), message(2, dup=True))
        peer.expect("50020002")  # known: acknowledged again
        peer.silent()
        assert delivered(broker) == [1, 2]
        peer.send("62020002")
        peer.expect("70020002")
        broker.ended(RECEIVE_MAXIMUM)
        peer = broker.up(PRESENT)
        peer.send(message(3, dup=True), message(4, dup=True))
        peer.expect("50020003", "50020004")
        assert delivered(broker) == [1, 2, 3, 4]


def test_a_cut_before_the_pubrels_makes_no_difference():
    with Hostile(clean=False, qos2_ids=2) as broker:
        peer = broker.up()
        peer.send(message(1), message(2), message(3))
        peer.expect("50020001", "50020002")
        peer.end()
        broker.ended(0x100)
        peer = broker.up(PRESENT)
        peer.send("62020001", message(2, dup=True), message(3, dup=True))
        peer.expect("70020001", "50020002", "50020003")
        peer.send("62020002", "62020003")
        peer.expect("70020002", "70020003")
        assert delivered(broker) == [1, 2, 3]
        broker.alive()


def test_while_the_surplus_waits_messages_go_out_as_ever():
    with Hostile(clean=False, qos2_ids=1) as broker:
        peer = broker.up()
        peer.send(message(1), message(2))
        peer.expect("50020001")
        broker.c.publish("t", "x", 2)
        peer.expect("34060001740001")
        peer.send("50020001")
        peer.expect("62020001")
        peer.send("62020001")
        peer.expect("70020001")
        broker.ended(RECEIVE_MAXIMUM)
        peer = broker.up(PRESENT)
        peer.expect("62020001")
        peer.send("70020001", message(2, dup=True))
        peer.expect("50020002")
        assert broker.published == [1] and delivered(broker) == [1, 2]


@pytest.mark.parametrize("at_once", (0, 100), ids=("no limit", "100 at once"))
@pytest.mark.parametrize("total", (1000,))
def test_a_real_broker_with_a_larger_window_delivers_each_once_in_order(at_once, total, uid):
    if brokers.Mosquitto.available():
        pytest.skip(brokers.Mosquitto.available())
    settings = f"max_inflight_messages {at_once}\nset_tcp_nodelay true"
    with brokers.Mosquitto(settings=settings) as broker, Far(broker.port) as far:
        got = []
        c = umqtt_full.MQTTClient(broker.url, uid, clean=False, keepalive=0, qos2_ids=4)
        c.on(uid, lambda msg: got.append(int(msg.payload)), 2)
        c.connect()
        c.close()  # the session stays at the broker, and gathers
        far.publish_all(uid, [str(i) for i in range(total)], 2)
        c.start()
        idle = 0
        while len(got) < total and idle < 20:
            idle = 0 if c.poll(100) else idle + 1
        c.disconnect()
        print(c.counters)
        assert got == list(range(total))
