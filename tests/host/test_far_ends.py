"""A thousand messages each way between our client and other programs; and brokers that go and come back.

Rule: counted at the far end, each once and in order; paho-mqtt with every broker, MQTT.js with mosquitto.
"""
import farend
import near
import pytest

COUNT = 1000
NUMBERS = [b"%d" % i for i in range(COUNT)]


def begin(kind, scenario, broker, uid, qos):
    return near.begin(kind, "traffic", scenario, broker.url, uid, count=COUNT, qos=qos)


def send(side, far, uid, qos):
    """We publish to the far end."""
    side.expect("connected")
    far.subscribe(f"{uid}/out", qos)
    side.send("go\n")
    side.finish()
    far.publish(f"{uid}/out", [b"end"], qos)
    got = far.wait(COUNT + 1)
    assert [payload for _, payload, _, _ in got] == [*NUMBERS, b"end"]
    assert {qos for _, _, qos, _ in got} == {qos} and not any(dup for _, _, _, dup in got)


def receive(side, far, uid, qos):
    """The far end publishes to us."""
    side.expect("connected")
    far.publish(f"{uid}/in", NUMBERS, qos)
    side.send("go\n")
    side.finish()


EXCHANGES = {"sends": send, "receives": receive}


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("scenario", EXCHANGES)
def test_a_thousand_messages_pass_in_order_between_us_and_paho(scenario, kind, qos, broker, uid):
    with farend.Paho(broker, uid + "-far") as far, begin(kind, scenario, broker, uid, qos) as side:
        EXCHANGES[scenario](side, far, uid, qos)


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("scenario", EXCHANGES)
def test_a_thousand_messages_pass_in_order_between_us_and_mqttjs(scenario, kind, qos, mosquitto, uid):
    if farend.MqttJs.unavailable():
        pytest.skip(farend.MqttJs.unavailable())
    with farend.MqttJs(mosquitto, uid + "-far") as far, begin(kind, scenario, mosquitto, uid, qos) as side:
        EXCHANGES[scenario](side, far, uid, qos)


def go_and_come_back(broker, side):
    side.expect("go")
    broker.restart()
    side.expect("go")
    broker.kill()
    broker.start()
    side.expect("go")
    side.finish()


def test_it_comes_back_when_the_broker_does(kind, broker, uid):
    with near.begin(kind, "traffic", "comes_back", broker.url, uid) as side:
        go_and_come_back(broker, side)
