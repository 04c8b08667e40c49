"""A thousand links, each cut when it is up: they leave nothing behind, neither on the heap nor open.

Rule: a real socket each time; the broker is scripted, and ends its links in turn by FIN and by RST.
"""
import gc
import importlib
import os
import socket
import struct
import sys
import threading

import mp
import near
import pytest

COUNT = 1000
NOISE = 256  # bytes that an error which is still remembered may take more than another
RESET = struct.pack("ii", 1, 0)


class Cutter:
    """A broker that accepts each client, takes a packet more, and ends the link."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        self.links = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            self.links += 1
            try:
                self._serve(link)
            except OSError:
                pass
            link.close()

    def _serve(self, link):
        link.settimeout(10)
        link.recv(1000)
        link.sendall(b"\x20\x02\x01\x00")
        link.recv(1000)  # PUBLISH
        if self.links % 2:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def test_a_thousand_links_leave_the_heap_of_a_small_board_as_it_was(record_property):
    if mp.unavailable():
        pytest.skip(mp.unavailable())
    script = near.SCRIPTS / "reconnects.py"
    with Cutter() as broker, mp.MicroPython(script, broker.url, COUNT, heapsize="256k") as board:
        first, last, most = map(int, board.expect("heap", 50).split()[1:])
        assert board.finish() == 0 and broker.links >= COUNT
    record_property("heap", last)
    print(f"{first} bytes behind the third link and some more, {last} behind the last ten, {most} at the most")
    assert last <= first and most <= first + NOISE


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not show open files")
def test_a_thousand_links_leave_no_socket_open():
    if str(near.SCRIPTS) not in sys.path:
        sys.path.append(str(near.SCRIPTS))
    reconnects = importlib.import_module("reconnects")
    gc.disable()  # what is not closed stays open
    try:
        with Cutter() as broker:
            files = {}

            def note(i):
                if i in (3, COUNT - 1):
                    files[i] = len(os.listdir("/proc/self/fd"))

            reconnects.run(broker.url, COUNT, note)
        print(files)
        assert files[COUNT - 1] <= files[3] + 2  # the broker's end of a link comes and goes
    finally:
        gc.enable()
