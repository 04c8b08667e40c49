# What CONNECT may hold. Loaded while a client is made, and its will.
from .wire import check_string, check_topic, to_bytes


def fill(connect, client_id, user, password):
    """Check the arguments of Connect and fill its `fields` and `flags`. Raises ValueError."""
    clean = connect.clean
    if connect.level not in (3, 4):
        raise ValueError("level: 3 (MQTT 3.1) or 4 (3.1.1)")
    if not 0 <= connect.keepalive <= 65535:
        raise ValueError("keepalive: 0 to 65535 seconds")
    if password is not None and user is None:  # [MQTT-3.1.2-22]
        raise ValueError("password without user")
    connect.fields = [to_bytes(client_id), None, None, to_bytes(user), to_bytes(password)]
    n = len(connect.fields[0])
    if not n and not clean:  # [MQTT-3.1.3-7]
        raise ValueError("an empty client_id needs clean=True")
    if connect.level == 3 and not 1 <= n <= 23:
        raise ValueError("client_id: 1 to 23 bytes in MQTT 3.1")
    check_string(connect.fields[0], "client_id")
    check_string(connect.fields[3] or b"", "user")
    connect.flags = (2 if clean else 0) | (0 if user is None else 128) | (0 if password is None else 64)
    _fit(connect)


def will(connect, topic, payload, qos, retain):
    """Set the will: `qos` 0 to 2. Raises ValueError."""
    topic = to_bytes(topic)
    check_topic(topic)
    if not 0 <= qos <= 2:  # [MQTT-3.1.2-14]
        raise ValueError("qos: 0, 1 or 2")
    fields = connect.fields
    connect.fields = [fields[0], topic, to_bytes(payload), fields[3], fields[4]]
    try:
        _fit(connect)
    except ValueError:
        connect.fields = fields
        raise
    connect.flags = connect.flags & 0xC2 | 4 | qos << 3 | (32 if retain else 0)


def _fit(connect):
    n = connect.size() + 5
    if n > connect.room:
        raise ValueError("rx: CONNECT takes %d bytes" % n)
