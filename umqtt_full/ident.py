# A client id where the application gives none.
from binascii import hexlify
from random import getrandbits


def board_id():
    """A client id from the board's unique id, on a PC a random one: 23 bytes at the most."""
    try:
        from machine import unique_id

        return b"mp-" + hexlify(unique_id()[:10])
    except ImportError:
        return b"pc-%08x%08x" % (getrandbits(30), getrandbits(30))
