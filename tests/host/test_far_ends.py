"""A thousand messages each way between our client and other programs; and brokers that go and come back.

Rule: counted at the far end, each once and in order; paho-mqtt with every broker, MQTT.js with mosquitto.
"""
import farend
import near
import pytest

COUNT = 1000
NUMBERS = [b"%d" % i for i in range(COUNT)]


@pytest.fixture(params=near.KINDS)
def kind(request):
    """What our client runs on."""
    if near.unavailable(request.param):
        pytest.skip(near.unavailable(request.param))
    return request.param


def send(kind, far_end, broker, uid, qos):
    """We publish to the far end."""
    with far_end(broker, uid + "-far") as far, \
            near.begin(kind, "traffic", "sends", broker.url, uid, count=COUNT, qos=qos) as side:
        side.expect("connected")
        far.subscribe(f"{uid}/out", qos)
        side.send("go\n")
        side.finish()
        far.publish(f"{uid}/out", [b"end"], qos)
        got = far.wait(COUNT + 1)
        assert [payload for _, payload, _, _ in got] == [*NUMBERS, b"end"]
        assert {qos for _, _, qos, _ in got} == {qos} and not any(dup for _, _, _, dup in got)


def receive(kind, far_end, broker, uid, qos):
    """The far end publishes to us."""
    with far_end(broker, uid + "-far") as far, \
            near.begin(kind, "traffic", "receives", broker.url, uid, count=COUNT, qos=qos) as side:
        side.expect("connected")
        far.publish(f"{uid}/in", NUMBERS, qos)
        side.send("go\n")
        side.finish()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_thousand_messages_reach_paho_in_order(kind, qos, broker, uid):
    send(kind, farend.Paho, broker, uid, qos)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_thousand_messages_of_paho_reach_us_in_order(kind, qos, broker, uid):
    receive(kind, farend.Paho, broker, uid, qos)


@pytest.fixture
def mqttjs():
    if farend.MqttJs.unavailable():
        pytest.skip(farend.MqttJs.unavailable())
    return farend.MqttJs


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_thousand_messages_reach_mqttjs_in_order(kind, qos, mosquitto, mqttjs, uid):
    send(kind, mqttjs, mosquitto, uid, qos)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_thousand_messages_of_mqttjs_reach_us_in_order(kind, qos, mosquitto, mqttjs, uid):
    receive(kind, mqttjs, mosquitto, uid, qos)


def test_it_comes_back_when_the_broker_does(kind, broker, uid):
    with near.begin(kind, "traffic", "comes_back", broker.url, uid) as side:
        side.expect("go")
        broker.restart()
        side.expect("go")
        broker.kill()
        broker.start()
        side.expect("go")
        side.finish()
