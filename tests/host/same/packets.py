# The packets of MQTT 3.1.1 (and 3.1), once: what they say and how they look.
# Rule: this one table serves the encoder's tests, the decoder's, the fuzzer, and the comparison with mqtt-packet.
# Each row: the fields by mqtt-packet's names, and the bytes in hex. Payloads and passwords are bytes.

SENT = (
    ({"cmd": "connect", "clientId": "", "clean": True, "keepalive": 0}, "100c00044d5154540402000000 00"),
    (
        {"cmd": "connect", "clientId": "attic", "clean": True, "keepalive": 60},
        "1011 00044d515454 04 02 003c 0005 6174746963",
    ),
    ({"cmd": "connect", "clientId": "a", "clean": False, "keepalive": 65535}, "100d00044d51545404 00 ffff 0001 61"),
    (
        {"cmd": "connect", "clientId": "a", "clean": True, "keepalive": 30, "username": "u"},
        "1010 00044d515454 04 82 001e 0001 61 0001 75",
    ),
    (
        {"cmd": "connect", "clientId": "a", "clean": True, "keepalive": 30, "username": "u", "password": b"p\x00q"},
        "1015 00044d515454 04 c2 001e 0001 61 0001 75 0003 700071",
    ),
    (
        {"cmd": "connect", "clientId": "a", "clean": True, "keepalive": 30,
         "will": {"topic": "w/t", "payload": b"gone", "qos": 0, "retain": False}},
        "1018 00044d515454 04 06 001e 0001 61 0003 772f74 0004 676f6e65",
    ),
    (
        {"cmd": "connect", "clientId": "a", "clean": False, "keepalive": 30, "username": "u", "password": b"",
         "will": {"topic": "w", "payload": b"", "qos": 2, "retain": True}},
        "1017 00044d515454 04 f4 001e 0001 61 0001 77 0000 0001 75 0000",
    ),
    (
        {"cmd": "connect", "clientId": "a", "clean": True, "keepalive": 30, "username": "u",
         "will": {"topic": "w", "payload": b"x", "qos": 1, "retain": False}},
        "1016 00044d515454 04 8e 001e 0001 61 0001 77 0001 78 0001 75",
    ),
    (
        {"cmd": "connect", "clientId": "old", "clean": True, "keepalive": 10, "protocolVersion": 3},
        "1011 00064d5149736470 03 02 000a 0003 6f6c64",
    ),
    ({"cmd": "publish", "topic": "a", "payload": b"", "qos": 0, "retain": False}, "3003 0001 61"),
    ({"cmd": "publish", "topic": "a/b", "payload": b"21.5", "qos": 0, "retain": True}, "3109 0003 612f62 32312e35"),
    (
        {"cmd": "publish", "topic": "a/b", "payload": b"\x00\xff", "qos": 1, "retain": False, "messageId": 1},
        "3209 0003 612f62 0001 00ff",
    ),
    (
        {"cmd": "publish", "topic": "gr\u00fc\u00dfe/\u20ac/\U0001f4a1", "payload": b"x", "qos": 2, "retain": True,
         "messageId": 65535},
        "3515 0010 6772c3bcc39f65 2f e282ac 2f f09f92a1 ffff 78",
    ),
    (
        {"cmd": "publish", "topic": "l", "payload": b"p" * 124, "qos": 0, "retain": False},
        "307f 0001 6c" + "70" * 124,
    ),
    (
        {"cmd": "publish", "topic": "l", "payload": b"p" * 125, "qos": 0, "retain": False},
        "308001 0001 6c" + "70" * 125,
    ),
    (
        {"cmd": "publish", "topic": "l", "payload": b"p" * 16380, "qos": 0, "retain": False},
        "30ff7f 0001 6c" + "70" * 16380,
    ),
    (
        {"cmd": "publish", "topic": "l", "payload": b"p" * 16381, "qos": 0, "retain": False},
        "30808001 0001 6c" + "70" * 16381,
    ),
    ({"cmd": "puback", "messageId": 1}, "4002 0001"),
    ({"cmd": "pubrec", "messageId": 258}, "5002 0102"),
    ({"cmd": "pubrel", "messageId": 65535}, "6202 ffff"),
    ({"cmd": "pubcomp", "messageId": 256}, "7002 0100"),
    (
        {"cmd": "subscribe", "messageId": 7, "subscriptions": [{"topic": "a/+/c", "qos": 1}]},
        "820a 0007 0005 612f2b2f63 01",
    ),
    (
        {"cmd": "subscribe", "messageId": 8,
         "subscriptions": [{"topic": "#", "qos": 0}, {"topic": "b", "qos": 2}, {"topic": "$SYS/x", "qos": 1}]},
        "8213 0008 0001 23 00 0001 62 02 0006 245359532f78 01",
    ),
    ({"cmd": "unsubscribe", "messageId": 9, "unsubscriptions": ["a/+/c"]}, "a209 0009 0005 612f2b2f63"),
    ({"cmd": "unsubscribe", "messageId": 10, "unsubscriptions": ["#", "b"]}, "a208 000a 0001 23 0001 62"),
    ({"cmd": "pingreq"}, "c000"),
    ({"cmd": "disconnect"}, "e000"),
)

RECEIVED = (
    ({"cmd": "connack", "sessionPresent": False, "returnCode": 0}, "2002 0000"),
    ({"cmd": "connack", "sessionPresent": True, "returnCode": 0}, "2002 0100"),
    ({"cmd": "connack", "sessionPresent": False, "returnCode": 1}, "2002 0001"),
    ({"cmd": "connack", "sessionPresent": False, "returnCode": 2}, "2002 0002"),
    ({"cmd": "connack", "sessionPresent": False, "returnCode": 3}, "2002 0003"),
    ({"cmd": "connack", "sessionPresent": False, "returnCode": 4}, "2002 0004"),
    ({"cmd": "connack", "sessionPresent": False, "returnCode": 5}, "2002 0005"),
    ({"cmd": "publish", "topic": "a", "payload": b"", "qos": 0, "retain": False}, "3003 0001 61"),
    ({"cmd": "publish", "topic": "a/b", "payload": b"on", "qos": 0, "retain": True}, "3107 0003 612f62 6f6e"),
    (
        {"cmd": "publish", "topic": "a/b", "payload": b"on", "qos": 1, "retain": False, "messageId": 1},
        "3209 0003 612f62 0001 6f6e",
    ),
    (
        {"cmd": "publish", "topic": "a/b", "payload": b"on", "qos": 1, "retain": True, "dup": True, "messageId": 513},
        "3b09 0003 612f62 0201 6f6e",
    ),
    (
        {"cmd": "publish", "topic": "gr\u00fc\u00dfe/\u20ac/\U0001f4a1", "payload": b"", "qos": 2, "retain": False,
         "messageId": 65535},
        "3414 0010 6772c3bcc39f65 2f e282ac 2f f09f92a1 ffff",
    ),
    (
        {"cmd": "publish", "topic": "\ufeffa", "payload": b"x", "qos": 2, "retain": False, "dup": True, "messageId": 2},
        "3c09 0004 efbbbf61 0002 78",
    ),
    (
        {"cmd": "publish", "topic": "l", "payload": b"p" * 125, "qos": 0, "retain": False},
        "308001 0001 6c" + "70" * 125,
    ),
    (
        {"cmd": "publish", "topic": "l", "payload": b"p" * 16381, "qos": 1, "retain": False, "messageId": 3},
        "32828001 0001 6c 0003" + "70" * 16381,
    ),
    ({"cmd": "puback", "messageId": 1}, "4002 0001"),
    ({"cmd": "pubrec", "messageId": 2}, "5002 0002"),
    ({"cmd": "pubrel", "messageId": 65535}, "6202 ffff"),
    ({"cmd": "pubcomp", "messageId": 2}, "7002 0002"),
    ({"cmd": "suback", "messageId": 4, "granted": [0]}, "9003 0004 00"),
    ({"cmd": "suback", "messageId": 4, "granted": [0, 1, 2, 128]}, "9006 0004 00010280"),
    ({"cmd": "unsuback", "messageId": 4}, "b002 0004"),
    ({"cmd": "pingresp"}, "d000"),
)


def to_bytes(text):
    """The bytes of a row's hex text."""
    text = text.replace(" ", "")
    return bytes(int(text[i : i + 2], 16) for i in range(0, len(text), 2))
