# Which filters a client wants: checked, and put into the router's table. Loaded while the application says so.
from micropython import const

from .errors import MQTTFull
from .router import Subscription
from .wire import check_string, to_bytes

# As in router.py
_WANTED = const(1)
_UNWANTED = const(4)


def check(name):
    """Raise ValueError unless `name` (bytes) is a topic filter. [MQTT-4.7.1-2] [MQTT-4.7.1-3]"""
    check_string(name, "filter")
    wrong = not name or b"#" in name[:-1]
    for level in name.split(b"/"):
        wrong = wrong or len(level) > 1 and (b"+" in level or b"#" in level)
    if wrong:
        raise ValueError("filter: empty, or a wildcard that does not fill its level, # the last one")


def subscription(name):
    """A subscription to a filter, that is in no table. Raises ValueError."""
    name = to_bytes(name)
    check(name)
    start = 0
    if name.startswith(b"$share/"):  # $share/group/a/b: messages come as a/b
        start = name.find(b"/", 7) + 1
    return Subscription(name, start, not start and name.find(b"+") < 0 and name.find(b"#") < 0)


def get(router, name):
    """The subscription to a filter, made if there is none. Raises ValueError, MQTTFull."""
    name = to_bytes(name)
    for sub in router.subs:
        if sub.filter == name:
            return sub
    if len(name) > router.limit:
        raise ValueError("filter: SUBSCRIBE does not fit rx")
    sub = subscription(name)
    if len(router.subs) == router.size:
        raise MQTTFull("filters: all %d are in use" % router.size)
    router.subs.append(sub)
    return sub


def add(router, name, qos, handler):
    """Remember a filter: return its subscription. `qos` None: it is not asked for. Raises ValueError, MQTTFull."""
    if qos is not None and not 0 <= qos <= 2:
        raise ValueError("qos: 0, 1 or 2")
    sub = get(router, name)
    if handler:
        sub.handler = handler
    if qos is not None:
        sub.qos = qos
        sub.state = _WANTED
        router.dirty = True
    return sub


def subscribe(router, filters, qos):
    """Add a filter, a list of them, or a list of (filter, qos), without a handler: return the subscriptions."""
    subs = []
    for item in _each(filters):
        name, wanted = item if isinstance(item, tuple) else (item, qos)
        subs.append(add(router, name, wanted, None))
    return subs


def unsubscribe(router, filters):
    """Forget a filter or a list of them, and have the broker asked to: return the subscriptions."""
    subs = []
    for name in _each(filters):
        sub = get(router, name)
        sub.handler = None
        sub.state = _UNWANTED
        router.dirty = True
        subs.append(sub)
    return subs


def _each(filters):
    return filters if isinstance(filters, (list, tuple)) else (filters,)
