# The bulb on a simulated board: commands, effects that let MQTT go on, and a state that outlives the power.
import json
import os

from boards import Board, Sim, on_the_air, section
from tiny import Broker

FILE = "lamp.json"


def bulb_of(b, broker, **keys):
    on_the_air(b, broker)
    keys = dict({"topic": "bulb/desk", "group": "bulb/all"}, **keys)
    config = section(b, broker="mqtt://h", client_id="desk", bulb=keys)
    bulb = b.load("bulb").make(config, Sim(b))
    b.load("bulb")
    return bulb


def turn(b, bulb, ms):
    end = b.now + ms
    while b.now < end:
        bulb.turn()
        b.now += 1


def states(broker):
    return [json.loads(text) for text in broker.of("bulb/desk/state")]


def test_commands_in_words_and_in_json_are_obeyed_and_answered():
    with Board("rp2") as b:
        broker = Broker()
        bulb = bulb_of(b, broker)
        turn(b, bulb, 300)
        assert broker.filters == ["bulb/desk/set", "bulb/all/set"]
        assert ("bulb/desk/status", "online", 1, True) in broker.messages
        for topic, command, light in (
            ("bulb/desk/set", b"on", (255, 255, 255)),
            ("bulb/all/set", b"40", (102, 102, 102)),
            ("bulb/desk/set", b"toggle", (0, 0, 0)),
            ("bulb/desk/set", b"toggle", (102, 102, 102)),
            ("bulb/desk/set", b'{"brightness": 100, "color": {"r": 255, "g": 0, "b": 10}}', (255, 0, 10)),
            ("bulb/desk/set", b'{"state": "OFF"}', (0, 0, 0)),
            ("bulb/desk/set", b"on", (255, 0, 10)),
            ("bulb/desk/set", b"0", (0, 0, 0)),
        ):
            broker.send(topic, command, 2)
            turn(b, bulb, 120)
            assert bulb.board.light_is == light, (command, bulb.board.light_is)
        last = states(broker)[-1]
        assert last["state"] == "OFF" and last["brightness"] == 100
        assert last["color"] == {"r": 255, "g": 0, "b": 10}
        assert all(retain for topic, _, _, retain in broker.messages if topic.endswith("/state"))


def test_what_is_no_command_changes_nothing():
    with Board("rp2") as b:
        broker = Broker()
        bulb = bulb_of(b, broker)
        turn(b, bulb, 300)
        broker.send("bulb/desk/set", b"on", 2)
        turn(b, bulb, 100)
        before = bulb.lamp.state()
        for bad in (
            b"", b"ON", b"101", b"-1", b"\xff\xfe", b"[]", b"5.5", b"null", b"{", b'{"state": 1}',
            b'{"brightness": 300}', b'{"brightness": "x"}', b'{"color": {"r": 1}}', b'{"color": 7}',
            b'{"color": {"r": 256, "g": 0, "b": 0}}', b'{"effect": "disco"}',
        ):
            said = len(b.heard("ignore"))
            broker.send("bulb/desk/set", bad, 2)
            turn(b, bulb, 100)
            assert bulb.lamp.state() == before, bad
            assert len(b.heard("ignore")) == said + 1, bad


def test_the_state_is_restored_after_a_power_cut():
    with Board("rp2") as b:
        broker = Broker()
        bulb = bulb_of(b, broker)
        turn(b, bulb, 300)
        wish = b'{"brightness": 30, "color": {"r": 9, "g": 8, "b": 7}, "effect": "breathe"}'
        broker.send("bulb/desk/set", wish, 2)
        turn(b, bulb, 6000)
        again = bulb_of(b, Broker())
        assert again.lamp.state() == bulb.lamp.state()
        assert again.lamp.on and again.board.light_is is not None


def test_the_flash_is_written_once_for_many_changes():
    with Board("rp2") as b:
        broker = Broker()
        bulb = bulb_of(b, broker)
        turn(b, bulb, 300)
        for percent in range(1, 20):
            broker.send("bulb/desk/set", b"%d" % percent, 2)
            turn(b, bulb, 200)
            try:
                os.stat(FILE)
                raise AssertionError("written already")
            except OSError:
                pass
        turn(b, bulb, 6000)
        with open(FILE) as file:
            assert json.load(file)["brightness"] == 19


def test_a_file_that_is_torn_is_no_reason_to_stay_dark():
    with Board("rp2") as b:
        for text in ("", '{"state": "O', "[]", '{"brightness": 500}'):
            with open(FILE, "w") as file:
                file.write(text)
            bulb = bulb_of(b, Broker())
            assert bulb.lamp.percent == 100 and not bulb.lamp.on


def test_effects_change_the_light_while_mqtt_goes_on():
    for effect, period in (("blink", 1000), ("breathe", 4000), ("rainbow", 6000)):
        with Board("rp2") as b:
            broker = Broker()
            bulb = bulb_of(b, broker)
            turn(b, bulb, 300)
            broker.send("bulb/desk/set", ('{"state": "ON", "effect": "%s"}' % effect).encode(), 2)
            turn(b, bulb, 100)
            shown, longest, seen = bulb.board.shown, 0, set()
            end = b.now + 2 * period
            while b.now < end:
                before = b.now
                bulb.turn()
                longest = max(longest, b.now - before)
                seen.add(bulb.board.light_is)
                b.now += 1
            assert longest <= 30
            changes = bulb.board.shown - shown
            assert 3 <= changes <= 5 if effect == "blink" else changes > 100, (effect, changes)
            assert len(seen) == 2 if effect == "blink" else len(seen) > 50
            broker.send("bulb/desk/set", b'{"effect": "none"}', 2)
            turn(b, bulb, 100)
            assert bulb.board.light_is == (255, 255, 255)


def test_a_reading_is_obeyed_once_and_confirmed_each_time():
    with Board("rp2") as b:
        broker = Broker()
        bulb = bulb_of(b, broker, follow="attic/reading", warm_from=22.0)
        turn(b, bulb, 300)
        assert json.loads(broker.of("bulb/desk/seen")[0]) == {"boot": None, "next": None}  # send again
        broker.send("bulb/desk/set", b"on", 2)
        for n, celsius in ((1, 21.0), (2, 22.0), (2, 22.0), (4, 21.0), (3, 23.0)):
            reading = {"boot": 5, "first": 1, "n": n, "celsius": celsius}
            broker.send("attic/reading", json.dumps(reading).encode(), 2)
            turn(b, bulb, 120)
        assert (bulb.obeyed, bulb.twice, bulb.numbers.missing()) == (4, 1, 0)
        assert [json.loads(t)["next"] for t in broker.of("bulb/desk/seen")[1:]] == [2, 3, 3, 3, 5]
        assert bulb.lamp.warm and bulb.board.light_is == (255, 147, 41)


def test_home_assistant_is_told_in_valid_json():
    with Board("rp2") as b:
        broker = Broker()
        bulb = bulb_of(b, broker, home_assistant="homeassistant")
        turn(b, bulb, 300)
        (payload,) = broker.of("homeassistant/light/bulb_desk/config")
        told = json.loads(payload)
        assert told["schema"] == "json" and told["bri_scl"] == 100 and told["sup_clrm"] == ["rgb"]
        assert (told["~"], told["cmd_t"], told["stat_t"]) == ("bulb/desk", "~/set", "~/state")
        assert told["avty_t"] == "~/status"
        assert told["fx_list"] == ["none", "blink", "breathe", "rainbow"]


def test_its_end_is_told_and_the_state_is_kept():
    with Board("rp2") as b:
        broker = Broker()
        bulb = bulb_of(b, broker)
        turn(b, bulb, 300)
        broker.send("bulb/desk/set", b"on", 2)
        turn(b, bulb, 100)
        bulb.finish()
        assert broker.messages[-1][:2] == ("bulb/desk/status", "offline") and broker.wire[-1] == "DISCONNECT"
        with open(FILE) as file:
            assert json.load(file)["state"] == "ON"
