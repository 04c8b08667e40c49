# What MicroPython has and CPython lacks, so that the same files run on a PC. Never copied to a board.
#
# It adds a `micropython` module where there is none and the ticks functions to `time`; nothing that
# CPython has is changed. In return no other file of the package, and no byte on a board, knows of CPython.
import errno
import select as _select
import socket as _socket
import ssl as _ssl
import sys
import tempfile
import time
import types

_PERIOD = 1 << 30  # ticks wrap as they do on a 32-bit board
_HOUR_MS = 3600000

if "micropython" not in sys.modules:
    micropython = types.ModuleType("micropython")
    micropython.const = lambda value: value
    sys.modules["micropython"] = micropython

if not hasattr(time, "ticks_ms"):
    time.ticks_ms = lambda: time.monotonic_ns() // 1000000 % _PERIOD
    time.ticks_add = lambda ticks, delta: (ticks + delta) % _PERIOD
    time.ticks_diff = lambda a, b: (a - b + _PERIOD // 2) % _PERIOD - _PERIOD // 2
    time.sleep_ms = lambda ms: time.sleep(ms / 1000)


class Socket(_socket.socket):
    """A socket with MicroPython's stream methods: None where it would block, as bytes or a count else."""

    def connect(self, address):
        """Begin to connect. Raises EINPROGRESS also where the system has another number for that."""
        try:
            super().connect(address)
        except BlockingIOError as e:
            raise OSError(errno.EINPROGRESS, e.strerror)

    def readinto(self, buf, n):
        """Read up to `n` bytes into `buf`: the count, 0 at the end of the stream, None when it would block."""
        try:
            return self.recv_into(buf, n)
        except BlockingIOError:
            return None

    def write(self, buf, off, n):
        """Write up to `n` bytes of `buf` from `off`: the count, or None when it would block."""
        try:
            return self.send(memoryview(buf)[off : off + n])
        except BlockingIOError:
            return None


class Poll:
    """`select.poll` with `ipoll`, also where the system has only `select.select`."""

    def __init__(self):
        self._masks = {}

    def register(self, stream, mask):
        if not hasattr(stream, "fileno"):
            raise OSError("stream operation not supported")
        self._masks[stream] = mask

    modify = register

    def unregister(self, stream):
        self._masks.pop(stream, None)

    def ipoll(self, timeout_ms):
        """Wait up to `timeout_ms`; give (stream, events) for each that is ready."""
        for s, mask in self._masks.items():
            if mask & POLLIN and getattr(s, "pending", int)():
                return [(s, POLLIN)]
        reads = [s for s, mask in self._masks.items() if mask & POLLIN]
        writes = [s for s, mask in self._masks.items() if mask & POLLOUT]
        if not reads and not writes:
            time.sleep(timeout_ms / 1000)
            return []
        # a failed connect shows as "exceptional" on Windows, as writable elsewhere
        read, write, failed = _select.select(reads, writes, writes, timeout_ms / 1000)
        ready = {}
        for streams, event in ((read, POLLIN), (write, POLLOUT), (failed, POLLERR)):
            for s in streams:
                ready[s] = ready.get(s, 0) | event
        return list(ready.items())


POLLIN, POLLOUT, POLLERR, POLLHUP = 1, 4, 8, 16



class Context:
    """MicroPython's tls.SSLContext on top of CPython's, with its errors: mbedtls's numbers and words."""

    def __init__(self, protocol):
        own = isinstance(protocol, _ssl.SSLContext)
        self.context = protocol if own else _ssl.SSLContext(_ssl.PROTOCOL_TLS_CLIENT)
        self.load_default_certs = self.context.load_default_certs
        self.verify_callback = None

    @property
    def verify_mode(self):
        return self.context.verify_mode

    @verify_mode.setter
    def verify_mode(self, mode):
        self.context.check_hostname = mode == _ssl.CERT_REQUIRED
        self.context.verify_mode = mode

    def load_verify_locations(self, data):
        """One certificate, DER."""
        try:
            self.context.load_verify_locations(cadata=data)
        except _ssl.SSLError as e:
            raise ValueError(f"invalid cert: {e}")

    def load_cert_chain(self, cert, key):
        """A certificate, DER, or several, PEM; and its key, DER of any kind."""
        if b"-----" not in cert:
            cert = _ssl.DER_cert_to_PEM_cert(cert).encode()
        for kind in ("", "EC ", "RSA "):
            with tempfile.TemporaryDirectory() as folder:
                name = f"{folder}/pem"
                with open(name, "wb") as file:
                    pem = _ssl.DER_cert_to_PEM_cert(key).replace("CERTIFICATE", f"{kind}PRIVATE KEY")
                    file.write(cert + b"\n" + pem.encode())
                try:
                    self.context.load_cert_chain(name)
                    return
                except _ssl.SSLError as e:
                    error = e
        raise ValueError(f"invalid key: {error}")

    def wrap_socket(self, sock, server_hostname, do_handshake_on_connect):
        """A stream that begins the handshake at the first use: before, `sock` may still be connecting."""
        return SecureSocket(self, sock, server_hostname)


class SecureSocket:
    """MicroPython's TLS socket, but what is to be polled must be asked for: wants()."""

    _VERIFY = {
        10: "validity has expired",
        9: "validity starts in the future",
        62: "does not match",
        64: "does not match",
    }

    def __init__(self, context, sock, name):
        self._context, self._sock, self._name = context, sock, name
        self._tls = None
        self._waits = 0
        self.fileno = sock.fileno

    def _start(self):
        error = self._sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if error:
            raise OSError(error, "connect")
        self._sock.getpeername()  # else it would send without TLS
        self._tls = self._context.context.wrap_socket(
            self._sock, server_hostname=self._name, do_handshake_on_connect=False
        )
        self.fileno = self._tls.fileno

    def _do(self, name, own, *args):
        self._waits = 0
        try:
            if not self._tls:
                self._start()
            return getattr(self._tls, name)(*args)
        except _ssl.SSLWantReadError:
            self._waits = POLLIN & ~own
        except _ssl.SSLWantWriteError:
            self._waits = POLLOUT & ~own
        except _ssl.SSLCertVerificationError as e:
            what = self._VERIFY.get(e.verify_code, "is not signed by the trusted CA")
            raise ValueError(f"The certificate {what}: {e.verify_message}")
        except OSError as e:
            raise self._as_mbedtls(e)
        return None

    def _as_mbedtls(self, e):
        if self._tls and self._tls.cipher() and self._context.verify_callback:
            self._context.verify_callback(b"", 0)  # the broker's certificate came
        if isinstance(e, _ssl.SSLEOFError):
            return OSError(-0x7280, str(e))
        if isinstance(e, _ssl.SSLError):
            return OSError(-0x7780 if "ALERT" in str(e.reason) else -0x7200, str(e))
        return e

    def wants(self, mask):
        """What to poll for who wants `mask`: TLS may have to read before it can write."""
        return self._waits or mask

    def pending(self):
        """Decrypted bytes that wait to be read."""
        return self._tls.pending() if self._tls else 0

    def readinto(self, buf, n):
        """As Socket's. Raises ValueError for a certificate, OSError below 0 for the rest of TLS."""
        return self._do("recv_into", POLLIN, buf, n)

    def write(self, buf, off, n):
        """As Socket's; it raises what readinto does."""
        return self._do("send", POLLOUT, memoryview(buf)[off : off + n])

    def close(self):
        """Close the socket, without a word to the broker."""
        (self._tls or self._sock).close()


select = types.SimpleNamespace(poll=Poll, POLLIN=POLLIN, POLLOUT=POLLOUT)
socket = types.SimpleNamespace(
    socket=Socket, getaddrinfo=_socket.getaddrinfo, SOCK_STREAM=_socket.SOCK_STREAM
)
tls = types.SimpleNamespace(
    SSLContext=Context, PROTOCOL_TLS_CLIENT=0, CERT_NONE=_ssl.CERT_NONE, CERT_REQUIRED=_ssl.CERT_REQUIRED
)


class Waits:
    """aio.Waits with the loop of CPython's asyncio: its readers, writers and timers."""

    def __init__(self, turn):
        from asyncio import get_running_loop

        self._running_loop = get_running_loop
        self._turn = turn
        self.task = None
        self._ms = _HOUR_MS
        self._loop = self._bell = self._timer = None
        self._fd = self._mask = 0

    async def sleep(self):
        """To be awaited by `task`: for an hour, or what within() has said since the last time."""
        self._loop = self._running_loop()
        self._bell = self._loop.create_future()
        self._timer = self._loop.call_later(self._ms / 1000, self._ring)
        self._ms = _HOUR_MS
        try:
            await self._bell
        finally:
            self._timer.cancel()
            self._bell = None

    def _ring(self):
        if self._bell and not self._bell.done():
            self._bell.set_result(None)

    def within(self, ms):
        """Have `task` go on in `ms` at the latest."""
        if not self._bell:
            self._ms = min(self._ms, ms)
        elif self._loop.time() + ms / 1000 < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_later(ms / 1000, self._ring)

    def watch(self, stream, mask):
        """Have a turn done whenever `stream` is ready for `mask`."""
        self._loop = self._running_loop()
        if not self._mask:
            self._fd = stream.fileno()
        self._set(mask)
        if mask & POLLIN and getattr(stream, "pending", int)():
            self.within(0)

    def _set(self, mask):
        new, old = mask & ~self._mask, self._mask & ~mask
        self._mask = mask
        if new & POLLIN:
            self._loop.add_reader(self._fd, self._turn)
        if old & POLLIN:
            self._loop.remove_reader(self._fd)
        if new & POLLOUT:
            self._loop.add_writer(self._fd, self._turn)
        if old & POLLOUT:
            self._loop.remove_writer(self._fd)

    def drop(self):
        """The stream is about to be closed."""
        self._set(0)
