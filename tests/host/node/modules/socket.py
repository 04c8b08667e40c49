# What the 32-bit MicroPython lacks: a socket module, so that all of the library can be imported.
# Rule: nothing can be opened; tests on 32 bits use fakes.
AF_INET = 2
SOCK_STREAM = 1


class socket:
    def __init__(self, *_):
        raise OSError(1)

    def readinto(self, buf, n):
        pass

    def write(self, buf, off, n):
        pass


def getaddrinfo(host, port, *_):
    raise OSError(-2)
