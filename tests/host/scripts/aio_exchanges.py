# The exchanges of exchanges.py over aio.py: `micropython aio_exchanges.py port`.
# Rule: as there.
import sys

import exchanges
from aio_faces import Client


def client(port, client_id):
    c = Client("mqtt://127.0.0.1:%d" % port, client_id, keepalive=0, clean=False, rx=64, slot_size=64, slots=4)
    c.retry_min_ms = 1
    c.retry_max_ms = 4
    return c


if __name__ == "__main__":
    exchanges.client = client
    exchanges.main(int(sys.argv[1]))
