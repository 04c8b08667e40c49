# Whatever a server sends: a named error or none, no other exception, no growth, no endless turn.
# Rule: seeded, so that a failure can be seen again; its seed and its bytes are in the message.
import random
import sys

import fake
import packets

from umqtt_full import MQTTError

CPYTHON = sys.implementation.name == "cpython"
ROUNDS = 130000 if CPYTHON else 2500  # packets, about; a board has less time
RX = 80


def seeds():
    """The table's packets, those of a size that can be changed quickly."""
    table = [packets.to_bytes(text) for _, text in packets.RECEIVED + packets.SENT]
    return [data for data in table if len(data) < 200]


def mutated(rng, data):
    """The packet with a few of its bytes changed, dropped, doubled, or with a lying length."""
    data = bytearray(data)
    for _ in range(rng.randint(0, 3)):
        if not data:
            break
        at = rng.randrange(len(data))
        what = rng.randrange(5)
        if what == 0:
            data[at] = rng.getrandbits(8)
        elif what == 1:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 2:
            data = data[:at] + data[at + 1 :]
        elif what == 3:
            data = data[:at] + data[at : at + 1] + data[at:]
        elif len(data) > 1:
            data[1] = rng.choice((0, 1, 2, len(data), 127, 128, 255))
    return bytes(data)


def fresh(rng):
    """A client in some state of its life."""
    recorder = fake.Recorder(rx=RX, qos2_ids=rng.choice((1, 3)), clean=rng.choice((True, False)))
    recorder.stream = fake.Stream(1024)
    if rng.randrange(8):
        recorder.connect(stream=recorder.stream)
        for qos in (0, 1, 2):
            recorder.publish(qos=qos)
        recorder.poll()
    else:
        recorder.engine.open(recorder.stream, 0)
        recorder.poll()
    recorder.stream.forget()
    return recorder


def check_sound(recorder):
    """The bounds that nothing a server says may move."""
    engine = recorder.engine
    box = engine.outbox
    slots = list(box.free) + list(box.queued) + list(box.sent) + list(box.released)
    assert sorted(slots) == list(range(box.slots))
    assert len(engine.rx) == RX + 64 and len(engine._control) == 68
    assert len(box.buf) == box.slots * box.size
    assert len(set(engine.ids)) == len(engine.ids) <= engine.qos2_ids and 0 not in engine.ids


def attack(seed, table):
    """Feed one client a few packets; return how many."""
    rng = random
    rng.seed(seed)
    recorder = fresh(rng)
    stream = recorder.stream
    for n in range(1, 9):
        data = mutated(rng, rng.choice(table))
        if not rng.randrange(10):
            data = bytes(rng.getrandbits(8) for _ in range(9))
        stream.most_in = rng.choice((1, 3, 1024))
        stream.most_out = rng.choice((1, 1024))
        stream.feed(data)
        try:
            for _ in range(400):
                if not recorder.engine.poll(0) and not stream.left():
                    break
        except MQTTError as e:
            assert e.name != "unknown", (seed, data)
            check_sound(recorder)
            return n
        except Exception:
            print("seed", seed, "data", data)
            raise
        recorder.events.clear()
        stream.forget()
        check_sound(recorder)
    return n


def test_random_and_mutated_packets_meet_a_named_error_or_none():
    table = seeds()
    fed = seed = 0
    while fed < ROUNDS:
        seed += 1
        fed += attack(seed, table)
    print(fed, "packets fed in", seed, "links")


def test_a_hostile_length_costs_no_memory_and_no_time():
    for head in (0x30, 0x32, 0x34):
        recorder = fake.Recorder(rx=RX)
        recorder.connect()
        recorder.say(bytes([head]) + b"\xff\xff\xff\x7f" + b"\x00\x01a\x00\x01")
        assert recorder.events == [] and recorder.engine.wants_read()
        for _ in range(100):
            recorder.say(b"x" * 1000)
        check_sound(recorder)
    for head in (0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0):
        recorder = fake.Recorder(rx=RX)
        recorder.connect()
        e = fake.error(recorder.say, bytes([head]) + b"\xff\xff\xff\x7f")
        assert isinstance(e, MQTTError) and e.name == "malformed packet"
