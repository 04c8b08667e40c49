# The sensor on a simulated ESP32: nothing that has a number is lost, whatever the network does.
import json

from boards import Board, Sim, ends, on_the_air, section
from fake import error
from tiny import Broker


def sensor_of(b, broker, board=None, **keys):
    on_the_air(b, broker)
    keys = dict({"topic": "attic", "period_s": 1}, **keys)
    common = {k: keys.pop(k) for k in ("store",) if k in keys}
    config = section(b, broker="mqtt://h", client_id="attic", sensor=keys, **common)
    s = b.load("sensor").make(config, board or Sim(b))
    s.mqtt.retry_max_ms = 1000
    b.load("sensor")
    return s


def turn(b, s, ms):
    """Let so much time pass; a loop also takes a little."""
    end = b.now + ms
    while b.now < end:
        s.turn()
        b.now += 1


def numbers(broker, topic="attic/reading"):
    return [json.loads(text)["n"] for text in broker.of(topic)]


def test_readings_are_sent_as_json_one_by_one():
    with Board() as b:
        broker = Broker()
        s = sensor_of(b, broker)
        turn(b, s, 5500)
        assert numbers(broker) == [1, 2, 3, 4, 5, 6]
        first = json.loads(broker.of("attic/reading")[0])
        assert first["celsius"] == 20.1 and first["volts"] == 3.7 and first["boot"] == s.boot
        assert "t" in first
        assert s.readings.first == 7


def test_birth_and_will_are_retained_on_one_topic():
    with Board() as b:
        broker = Broker()
        s = sensor_of(b, broker)
        turn(b, s, 1500)
        assert ("attic/status", "online", 1, True) in broker.messages
        s.finish()
        assert broker.messages[-1] == ("attic/status", "offline", 1, True)
        assert broker.wire[-1] == "DISCONNECT"


def test_csv_has_number_time_and_values():
    with Board() as b:
        broker = Broker()
        s = sensor_of(b, broker, format="csv")
        s.readings.unix = lambda n: 1800000000
        turn(b, s, 1500)
        assert broker.of("attic/reading") == ["1,1800000000,20.1,3.7", "2,1800000000,20.2,3.7"]
        s.readings.unix = lambda n: None
        turn(b, s, 1000)
        assert broker.of("attic/reading")[-1] == "3,,20.3,3.7"


def test_what_gathers_offline_travels_in_batches_and_nothing_is_lost():
    with Board() as b:
        broker = Broker()
        s = sensor_of(b, broker, batch=4)
        turn(b, s, 2500)
        broker.down = True
        broker.link.cut = True
        turn(b, s, 10000)
        broker.down = False
        turn(b, s, 5000)
        got = numbers(broker)
        for text in broker.of("attic/batch"):
            batch = json.loads(text)
            assert 2 <= len(batch) <= 4
            got += [reading["n"] for reading in batch]
        assert sorted(got) == list(range(1, s.readings.next))
        assert len(broker.of("attic/batch")) >= 2


def test_a_batch_of_csv_is_several_lines():
    with Board() as b:
        broker = Broker()
        broker.down = True
        s = sensor_of(b, broker, format="csv")
        turn(b, s, 4500)
        broker.down = False
        turn(b, s, 1500)
        lines = broker.of("attic/batch")[0].split("\n")
        assert len(lines) >= 5
        assert [int(line.split(",")[0]) for line in lines] == list(range(1, len(lines) + 1))


def test_the_largest_batch_fits_a_slot():
    for form in ("json", "csv"):
        with Board() as b:
            broker = Broker()
            broker.down = True
            board = Sim(b)
            board.next = -99999
            s = sensor_of(b, broker, board, batch=32, keep=64, format=form)
            s.boot = 65535
            s.readings.first = s.readings.send = s.readings.next = 1000000
            s.readings.unix = lambda n: 1800000000
            turn(b, s, 40000)
            broker.down = False
            turn(b, s, 3000)
            assert len(broker.of("attic/batch")) >= 1, b.said[-5:]
            assert s.readings.send == s.readings.next


def test_when_the_memory_is_full_no_number_is_given():
    with Board() as b:
        broker = Broker()
        broker.down = True
        s = sensor_of(b, broker, keep=4)
        turn(b, s, 10500)
        assert s.skipped == 7 and s.readings.next == 5
        broker.down = False
        turn(b, s, 3000)
        assert s.readings.first > 4


def test_a_receiver_that_confirms_is_sent_again_what_the_broker_forgot():
    with Board() as b:
        broker = Broker()
        s = sensor_of(b, broker, batch=1, confirm="desk/seen")
        turn(b, s, 3500)
        assert s.readings.first == 1 and broker.filters == ["desk/seen"]
        broker.send("desk/seen", json.dumps({"boot": s.boot, "next": 3}).encode())
        turn(b, s, 100)
        assert s.readings.first == 3
        for text in (b"x", b"[]", b"{}", json.dumps({"boot": s.boot + 1, "next": 4}).encode()):
            broker.send("desk/seen", text)
        turn(b, s, 100)
        assert s.readings.first == 3
        before = len(broker.of("attic/reading"))
        broker.send("desk/seen", b'{"boot": null, "next": null}')
        turn(b, s, 50)
        assert numbers(broker)[before:] == [3, 4]
        broker.session = False  # it was restarted, and knows nobody
        broker.link.cut = True
        turn(b, s, 3000)
        again = numbers(broker)[before + 2 :]
        assert again.count(3) == again.count(4) == 1


def test_home_assistant_is_told_of_each_quantity_in_valid_json():
    for form in ("json", "csv"):
        with Board() as b:
            broker = Broker()
            s = sensor_of(b, broker, home_assistant="homeassistant", format=form)
            turn(b, s, 500)
            found = [m for m in broker.messages if m[0].startswith("homeassistant/")]
            assert len(found) == 2
            for topic, payload, qos, retain in found:
                assert retain and qos == 1
                told = json.loads(payload)
                name = told["name"]
                assert topic == "homeassistant/sensor/attic/%s/config" % name
                assert told["~"] == "attic" and told["stat_t"] == "~/reading" and told["avty_t"] == "~/status"
                assert told["unit_of_meas"] == {"celsius": "\xb0C", "volts": "V"}[name]
                column = "value.split(',')[%d]" % (2 if name == "celsius" else 3)
                assert told["val_tpl"] == "{{ %s }}" % (column if form == "csv" else "value_json." + name)


def test_it_does_not_catch_up_readings_that_it_was_kept_from():
    with Board() as b:
        broker = Broker()
        s = sensor_of(b, broker)
        turn(b, s, 1500)
        b.now += 60000
        turn(b, s, 500)
        assert 3 <= s.readings.next <= 5, s.readings.next


class Deep(Sim):
    """A board that sleeps; each wake is a new one on the same air."""

    def __init__(self, b):
        super().__init__(b)
        import machine

        self.machine = machine
        self.memory = lambda: machine.RTC().memory
        self.woke = lambda: machine.reset_cause() == machine.DEEPSLEEP_RESET
        self.deep_sleep = machine.deepsleep
        self.light_sleep = machine.lightsleep


def wake(b, broker, **keys):
    """One wake up to the sleep: the packets on the wire."""
    broker.wire = []
    s = sensor_of(b, broker, Deep(b), sleep="deep", period_s=600, **keys)
    assert ends(s.turn) == "deepsleep"
    assert b.world.log[-1] == "deepsleep 600000"
    return s


def test_a_wake_is_five_packets():
    with Board() as b:
        broker = Broker()
        for _ in range(3):
            wake(b, broker)
            assert broker.wire == ["CONNECT", "CONNACK", "PUBLISH", "PUBACK", "DISCONNECT"], broker.wire
        assert len(broker.of("attic/reading")) == 3


def test_what_a_wake_could_not_send_the_next_one_does():
    with Board() as b:
        broker = Broker()
        broker.down = True
        for _ in range(2):
            before = b.now
            wake(b, broker)
            assert 19000 < b.now - before < 24000
        broker.down = False
        wake(b, broker)
        assert broker.wire.count("PUBLISH") == 3
        assert len(broker.of("attic/reading")) == 3


def test_a_sleeper_without_room_takes_no_reading():
    with Board() as b:
        broker = Broker()
        broker.down = True
        for _ in range(8):
            wake(b, broker)
        assert len(b.heard("skip")) == 2
        broker.down = False
        wake(b, broker)
        assert len(broker.of("attic/reading")) == 6


def test_a_sleeper_tells_home_assistant_when_the_power_comes_only():
    with Board() as b:
        broker = Broker()
        wake(b, broker, home_assistant="homeassistant")
        found = [json.loads(m[1]) for m in broker.messages if m[0].startswith("homeassistant/")]
        assert len(found) == 2 and found[0]["exp_aft"] == 1860 and "avty_t" not in found[0]
        wake(b, broker, home_assistant="homeassistant")
        assert broker.wire == ["CONNECT", "CONNACK", "PUBLISH", "PUBACK", "DISCONNECT"]


def test_light_sleep_switches_wifi_off_and_connects_again():
    with Board() as b:
        broker = Broker()
        s = sensor_of(b, broker, Deep(b), sleep="light", period_s=60)
        off = []
        s.network.off = lambda: off.append(b.now)
        for _ in range(3):
            s.turn()
        assert b.world.log == ["lightsleep 60000"] * 3 and len(off) == 3
        assert numbers(broker) == [1, 2, 3]
        assert broker.wire.count("CONNECT") == broker.wire.count("DISCONNECT") == 3


def test_what_can_not_go_together_names_its_key():
    with Board() as b:
        for keys, text in (
            ({"sleep": "deep", "confirm": "x", "batch": 1}, "sensor.confirm: goes with"),
            ({"confirm": "x"}, "sensor.confirm: goes with"),
            ({"sleep": "often"}, "sensor.sleep: must be one of"),
            ({"perod": 1}, "sensor.perod: unknown key"),
            ({"period_s": "1"}, "sensor.period_s: must be a number"),
        ):
            assert ("config.json: " + text) in str(error(lambda keys=keys: sensor_of(b, Broker(), **keys))), text
