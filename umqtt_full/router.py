# Topic filters: which are to be subscribed, and whose handler a message is for.
#
# A filter given once (see filters.py) stays in the table: it is asked for again on each link whose session the
# broker lost.
from micropython import const

# States of a subscription
_LOCAL = const(0)  # a handler only
_WANTED = const(1)
_ASKED = const(2)
_SETTLED = const(3)  # granted or refused
_UNWANTED = const(4)
_UNASKED = const(5)


class Subscription:
    """A filter (bytes), the QoS asked for, what the broker granted (0 to 2, 0x80 refused, None yet unknown)."""

    def __init__(self, name, start, plain):
        self.filter = name
        self.start = start  # where what topics are compared with begins
        self.plain = plain  # no wildcard in it
        self.qos = 0
        self.granted = None
        self.handler = None
        self.state = _LOCAL

    def matches(self, msg):  # no alloc
        """Does it match the topic of a message?"""
        name = self.filter
        end = msg._topic_end
        if self.plain:
            return len(name) == end - 2 and msg._rx.find(name, 2, end) == 2
        return wild(name, self.start, msg._rx, end)


def wild(name, start, buf, end):  # no alloc
    """Does the filter name[start:] match the topic buf[2:end]? [MQTT-4.7.1-1] [MQTT-4.7.2-1]"""
    n = len(name)
    off = 2
    if buf[2] == 36 and (name[start] == 43 or name[start] == 35):  # $SYS is not for wildcards
        return False
    while start < n:
        c = name[start]
        if c == 35:  # '#'
            return True
        if c == 43:  # '+'
            while off < end and buf[off] != 47:
                off += 1
        elif off == end:  # a/# matches a
            return c == 47 and start + 2 == n and name[start + 1] == 35
        elif buf[off] == c:
            off += 1
        else:
            return False
        start += 1
    return off == end


class Router:
    """A table of up to `size` filters, each of `limit` bytes at the most."""

    def __init__(self, size, limit):
        self.size = size
        self.limit = limit
        self.subs = []
        self._asked = None
        self.dirty = False  # there may be something to ask for

    def reset(self, present, known):
        """A link begins: what its session does not know is to be asked for. `known`: it knows all."""
        for sub in self.subs:
            if sub.state == _UNASKED:
                sub.state = _UNWANTED
            elif known and sub.state == _WANTED:
                sub.state = _SETTLED
            elif sub.state == _ASKED or (sub.state == _SETTLED and not present):
                sub.state = _WANTED
        self._asked = None
        self.dirty = True

    def ask(self, engine):
        """Have the engine SUBSCRIBE or UNSUBSCRIBE what is due, as much as one packet holds."""
        for state in (_UNWANTED, _WANTED):
            room = self.limit
            asked = []
            for sub in self.subs:
                if sub.state == state:
                    if asked and len(sub.filter) + 3 > room:
                        break
                    room -= len(sub.filter) + 3
                    sub.state += 1
                    asked.append(sub)
            if asked:
                self._asked = asked
                engine.request(asked, state == _UNWANTED)
                return
        self.dirty = False

    def answer(self, buf, on_subscribe, on_unsubscribe):
        """The broker answered what was asked for last: its codes lie in `buf` from 2 on."""
        asked = self._asked
        self._asked = None
        for i, sub in enumerate(asked):
            if sub.state == _UNASKED:
                self.subs.remove(sub)
            elif sub.state == _ASKED:
                sub.state = _SETTLED
                sub.granted = buf[2 + i]
        for sub in asked:
            if sub.state == _UNASKED and on_unsubscribe:
                on_unsubscribe(sub.filter.decode())
            elif sub.state == _SETTLED and on_subscribe:
                on_subscribe(sub.filter.decode(), sub.granted)

    def settled(self):
        """Was all that is wanted asked for and answered?"""
        return not self.dirty and not self._asked

    def dispatch(self, msg):  # no alloc
        """Call the handler of each filter that matches; False if there is none."""
        found = False
        for sub in self.subs:
            if sub.handler and sub.matches(msg):
                found = True
                if sub.plain:
                    msg._known = sub.filter
                sub.handler(msg)
        return found
