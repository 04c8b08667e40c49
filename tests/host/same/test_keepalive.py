# PINGREQ when it is due, and a dead link found in time: all by a clock that the test turns.
import fake
from fake import PINGREQ, PINGRESP, error, publish_packet

from umqtt_full import MQTTError

STEP_MS = 100


def run_until(recorder, end, each=None):
    """Turn the clock to `end`, polling at each step; return (ms, error) of the first error, or None."""
    while recorder.now < end:
        recorder.now += STEP_MS
        if each:
            each()
        e = error(recorder.poll)
        if e:
            assert isinstance(e, MQTTError)
            return recorder.now, e
    return None


def answer_pings(recorder, pings):
    """A broker that answers PINGREQ, and notes when it came."""

    def each():
        if PINGREQ in recorder.stream.sent():
            pings.append(recorder.now)
            recorder.stream.feed(PINGRESP)

    return each


def test_an_idle_link_is_pinged_ahead_of_the_interval():
    for keepalive, margin in ((1, 250), (4, 1000), (20, 5000), (60, 5000), (600, 5000)):
        recorder = fake.Recorder(keepalive=keepalive)
        recorder.connect()
        pings = []
        assert run_until(recorder, keepalive * 10000, answer_pings(recorder, pings)) is None
        gaps = [b - a for a, b in zip([0] + pings, pings)]
        assert len(pings) >= 10 and max(gaps) <= keepalive * 1000 - margin + 2 * STEP_MS, (keepalive, gaps)
        assert min(gaps) >= keepalive * 1000 - margin


def test_no_ping_without_keepalive():
    recorder = fake.Recorder(keepalive=0)
    recorder.connect()
    assert run_until(recorder, 10**5) is None
    assert recorder.stream.sent() == b"" and recorder.engine.next_ms(recorder.now) == -1


def test_no_ping_where_both_sides_talk():
    recorder = fake.Recorder(keepalive=10)
    recorder.connect()

    def talk():
        if recorder.now % 2000 == 0:
            recorder.publish(qos=0)
            recorder.stream.feed(publish_packet(b"t", b""))

    assert run_until(recorder, 60000, talk) is None
    assert PINGREQ not in recorder.stream.sent()


def test_a_half_open_link_is_found_within_one_and_a_half_intervals():
    for keepalive in (1, 2, 10, 60):
        for publishing in (False, True):  # writes succeed, nothing comes back
            for last_talk in (0, 300, 700):
                recorder = fake.Recorder(keepalive=keepalive)
                recorder.connect()
                run_until(recorder, last_talk)
                recorder.say(publish_packet(b"t", b""))

                def each():
                    if publishing and recorder.now % 500 == 0:
                        recorder.publish(qos=0)
                    recorder.stream.forget()

                found, e = run_until(recorder, 10**7, each)
                assert e.name == "keep alive timeout"
                assert found - last_talk <= keepalive * 1500 + STEP_MS, (keepalive, publishing, found)


def test_a_link_that_takes_no_more_bytes_is_found_as_soon():
    for blocked_from in (0, 2000, 7000, 9000, 9600):
        recorder = fake.Recorder(keepalive=10)
        stream = recorder.connect()

        def each():
            if recorder.now >= blocked_from:
                stream.tell = 0
            if recorder.room():
                recorder.publish(qos=0)

        found, e = run_until(recorder, 10**6, each)
        assert e.name == "keep alive timeout" and found <= 15000 + STEP_MS, (blocked_from, found)


def test_a_slow_write_that_goes_on_is_not_taken_for_dead():
    recorder = fake.Recorder(keepalive=2, slot_size=200)
    stream = recorder.connect()
    stream.tell = 0
    recorder.publish(payload=b"x" * 150, qos=0)

    def each():
        if recorder.now % 500 == 0:
            stream.tell = 1
            stream.feed(b"\x40\x02\x7f\x7f")  # so that the reading side is seen to live

    assert run_until(recorder, 70000, each) is None


def test_pingresp_behind_a_large_packet_is_waited_for():
    recorder = fake.Recorder(keepalive=2)
    recorder.connect()
    recorder.stream.feed(b"\x30\xff\x7f\x00\x01a")  # of 16 KB, and so slow that it takes longer than a ping may

    def each():
        recorder.stream.feed(b"x" * 100)

    assert run_until(recorder, 12000, each) is None


def test_the_deadline_of_pingresp_runs_from_the_end_of_the_write():
    recorder = fake.Recorder(keepalive=10)
    stream = recorder.connect()
    run_until(recorder, 7400)
    stream.tell = 1  # half of PINGREQ
    run_until(recorder, 11000)
    stream.tell = 1000  # and the rest, 3.5 s later
    found, _ = run_until(recorder, 10**6)
    assert 16000 <= found <= 16000 + 2 * STEP_MS


def test_what_came_meanwhile_is_read_before_the_link_is_called_dead():
    recorder = fake.Recorder(keepalive=2)
    stream = recorder.connect()
    run_until(recorder, 1600)
    assert stream.sent() == PINGREQ
    for _ in range(100):  # the application was away for an hour: more than one poll reads
        stream.feed(publish_packet(b"t", b""))
    stream.feed(PINGRESP)
    recorder.poll(recorder.now + 3600000)
    assert len(recorder.events) == 100 and stream.sent() == PINGREQ  # the next one


def test_ticks_may_wrap():
    import time

    recorder = fake.Recorder(keepalive=10)
    recorder.now = time.ticks_add(0, -1) - 20000  # 20 s before they do
    recorder.connect()
    pings = 0
    for _ in range(1000):
        recorder.now = time.ticks_add(recorder.now, STEP_MS)
        recorder.poll()
        if recorder.stream.sent() == PINGREQ:
            pings += 1
            recorder.stream.feed(PINGRESP)
    assert 12 <= pings <= 14


def test_the_engine_says_when_it_wants_to_be_called():
    recorder = fake.Recorder(keepalive=10)
    stream = recorder.connect()
    engine = recorder.engine
    assert engine.next_ms(0) == 7500
    assert engine.next_ms(7000) == 500
    assert engine.next_ms(9000) == 0
    recorder.poll(7500)
    assert stream.sent() == PINGREQ and engine.next_ms(7500) == 5000
    stream.tell = 0
    recorder.publish()
    recorder.poll(8000)
    assert engine.next_ms(8000) == 4500
    assert engine.next_ms(14000) == 0


def test_an_unasked_pingresp_is_harmless():
    recorder = fake.Recorder(keepalive=10)
    recorder.connect()
    assert recorder.say(PINGRESP * 3) == b"" and recorder.events == []
