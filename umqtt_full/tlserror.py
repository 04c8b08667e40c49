# What can go wrong with TLS, in words. Loaded with the first error.
import gc
import time
from errno import ECONNRESET, ENOMEM

from micropython import const

_YEAR = const(2025)  # a clock before it was not set: boards begin at 2000, 2015 or 2021
_NEEDED = const(20480)  # bytes: the buffers, 16 KiB in and 4 KiB out

# mbedtls's numbers; they are not in the modules
_NO_RECORD = const(-0x7200)
_ALERT = const(-0x7780)
_CUT = (-0x7280, ECONNRESET, 32)  # the end of the stream; 32 is EPIPE, which not every errno has

# What mbedtls says of a certificate; the gravest first.
_NAMES = (
    ("trusted", "unknown CA"),
    ("match", "wrong host name"),
    ("expired", "certificate expired"),
    ("future", "certificate not yet valid"),
    ("certificate", "certificate refused"),
)


class TLSError(OSError):
    """TLS failed. `name` says why, in words; `raw` what the port says: a number, a text, or both.

    Names: "clock not set", "unknown CA", "wrong host name", "certificate expired", "certificate not yet valid",
    "certificate refused", "not a TLS port", "no common cipher", "broker wants a client certificate",
    "client certificate refused", "pre-shared key refused", "not enough contiguous memory", "TLS failed".
    """

    def __init__(self, name, raw):
        super().__init__("%s (%s)" % (name, raw))
        self.name = name
        self.raw = raw


def explain(e, handshaking, answered, cert, psk):
    """A TLSError where `e` is TLS's, else the error itself.

    `answered`: the broker has shown its certificate; `cert`, `psk`: what we have to show.
    """
    number = e.args[0] if e.args else 0
    text = str(e).strip()
    name = ""
    if isinstance(e, MemoryError) or number == ENOMEM or "ALLOC_FAILED" in text:
        name = "not enough contiguous memory"
        free = gc.mem_free() if hasattr(gc, "mem_free") else "?"
        text = "%s: needs %d bytes, free %s" % (e, _NEEDED, free)
    elif isinstance(e, ValueError):
        for word, words in _NAMES:
            if not name and word in text:
                name = words
                if word == "future" and time.gmtime()[0] < _YEAR:
                    name = "clock not set"
    elif not isinstance(e, OSError):
        pass
    elif number == _ALERT or handshaking and answered and number in _CUT:
        name = "no common cipher"  # an alert's own number is not told
        if psk:
            name = "pre-shared key refused"
        elif cert:
            name = "client certificate refused"
        elif answered:
            name = "broker wants a client certificate"
    elif handshaking and (number == _NO_RECORD or number in _CUT):
        name = "not a TLS port"
    elif isinstance(number, int) and number < -256:
        name = "TLS failed"
    return TLSError(name, text) if name else e
