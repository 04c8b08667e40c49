# The way out: what is accepted goes first, then DISCONNECT. In memory from disconnect() until it is over.
from time import ticks_add, ticks_diff

from micropython import const

from .errors import MQTTError

_CONNECTED = const("connected")
_LINGER_MS = const(1000)
_WENT_OUT = const(2)  # DISCONNECT; see writer.py


def step(client, now):
    """One step of a client's disconnect(); True: there is more to do at once."""
    engine = client._engine
    if ticks_diff(client._end_at, now) > 0:
        if not engine.connected:
            if client._pending() and client.room() < engine.outbox.slots:
                return False
        elif engine.ending == _WENT_OUT:
            if not _lingered(client, engine, now):
                return False
        elif engine.idle():
            engine.ending = 1
            engine.put(0xE0)
            return True
        else:
            return False
    was_up = client.state == _CONNECTED
    client._event = True
    client.close()
    if client._store:
        client._store.save()
    if was_up:
        client.tell(client.on_disconnect, None)
    return False


def _lingered(link, engine, now):
    """DISCONNECT went out: let go what still comes until the broker closes, so that it can not reset
    the connection before the broker has read ours. True when that is over.
    """
    if not link._lingering:
        link._lingering = True
        link._at = ticks_add(now, _LINGER_MS)
    n = 1
    try:
        while n:
            n = link._stream.readinto(engine.rx, engine.rx_size)
    except (MQTTError, OSError):
        n = 0
    return n == 0 or ticks_diff(link._at, now) <= 0
