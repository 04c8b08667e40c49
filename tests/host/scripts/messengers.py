# One of two who write to each other over a bad link: numbered texts, half of QoS 1, half of QoS 2.
# Rule: as in traffic.py. Each text begins with its number; what a text must be is said by text(). Who writes to
# name/to/N is the other of two with the numbers 0 and 1.
import time

WORDS = ("Grüße", "здравствуй", "你好", "👋🏽", "naïve", "🎉🎊", "τέλος", "a", "👩‍👩‍👧‍👦", "…")


def text(i):
    return "%d|%s %s" % (i, WORDS[i % 10], WORDS[i * 7 // 10 % 10])


def order(got):
    """The numbers in the order in which each came first."""
    return [i for at, i in enumerate(got) if i not in got[:at]]


def check(count, got):
    """Nothing is lost, QoS 2 comes once, each QoS in order; return how many of QoS 1 came again."""
    assert got[2] == list(range(1, count, 2)), got[2]
    assert order(got[1]) == list(range(0, count, 2)), got[1]
    return len(got[1]) - count // 2


def writes(s):
    """Write `count` texts to the other, one each `pause_ms`, and read the other's."""
    c = s.client("-%d" % s.me, clean=False, keepalive=5, slots=16, slot_size=96, qos2_ids=s.count)
    got = [None, [], []]
    last = []

    def on_text(msg):
        said = str(msg.payload, "utf-8")
        if said == "end":
            last.append(said)
            return
        i = int(said.partition("|")[0])
        assert said == text(i) and msg.qos == i % 2 + 1, (said, msg.qos)
        got[msg.qos].append(i)

    c.on(s.topic("to/%d" % s.me), on_text, 2)
    to = s.topic("to/%d" % (1 - s.me))
    c.start()
    s.wait(lambda: c.connected)
    s.say("connected")
    s.hear()
    due = time.ticks_ms()
    for i in range(s.count):
        s.wait(lambda: c.room() and time.ticks_diff(due, time.ticks_ms()) <= 0, s.limit_ms)
        c.publish(to, text(i), i % 2 + 1)
        due = time.ticks_add(time.ticks_ms(), s.pause_ms)
    s.wait(lambda: c.room() == 16 and len(set(got[1] + got[2])) == s.count, s.limit_ms)
    s.say("has all")
    s.hear()  # the link is good now
    s.wait(lambda: c.connected)
    c.publish(to, "end", 2)
    s.wait(lambda: last and c.room() == 16, s.limit_ms)  # what the broker had twice came before it
    again = check(s.count, got)
    s.say("reconnected", c.counters["reconnects"], "resent", c.counters["resent"], "again", again)
    assert c.disconnect()
