# The socket module that 32-bit MicroPython lacks: TCP clients, see ../net.mjs.
# Rule: nothing waits, and nothing moves within one turn of the script.
from errno import EINPROGRESS

import _tcp

AF_INET = 2
SOCK_STREAM = 1


class socket:
    def __init__(self, *_):
        self.pollable = None  # what select can poll: the connection

    def setblocking(self, flag):
        pass

    def setsockopt(self, *_):
        pass  # TCP_NODELAY is set

    def connect(self, address):
        self.pollable = open(_tcp.connect(*address), "r+b", 0)
        raise OSError(EINPROGRESS)

    def readinto(self, buf, n):
        return self.pollable.readinto(buf, n)

    def write(self, buf, off, n):
        return self.pollable.write(buf, off, n)

    def close(self):
        if self.pollable:
            self.pollable.close()


def getaddrinfo(host, port, *_):
    return ((AF_INET, SOCK_STREAM, 0, "", (host, port)),)
