# TLS: the server of net.py whose stream is encrypted. The handshake goes on inside readinto() and write().
#
# The stream is the port's own TLS socket, so nothing of ours stands between it and the engine. What it
# raises is put in words by explain(), which the link asks; see tlserror.py.
import gc
from errno import ENOMEM

from micropython import const

from .net import TCP
from .wire import once

try:
    import tls
except ImportError:
    import ssl as tls

if hasattr(tls, "SSLSocket"):
    from ._cpython import tls

_EOF = const(-0x7280)  # mbedtls's number; it is not in the modules


class TLS(TCP):
    """The server at `host` and `port`, by TLS: `MQTTClient(TLS("example.org", ca="ca.der"))`.

    `ca`: the certificate(s) that the broker's must be signed by; without it a PC takes the system's.
    `cert`, `key`: our own, where the broker wants it. Each: bytes, or the name of a file; DER or PEM.
    `server_name`: the name that the broker's certificate must have, if not `host`.
    `psk`: (identity, key), bytes, instead of certificates, where the port can do it.
    `insecure_no_verification`: True takes any certificate: whoever is on the way can read and write all.
    `context`: a ready SSLContext, used as it is, instead of all these.

    `verified`: is it certain who the broker is? Raises ValueError for what can not work, OSError for a file
    that is not there. The context is made here, once; the buffers, 16 KiB and 4 KiB, with each link.
    """

    def __init__(
        self,
        host,
        port=8883,
        ca=None,
        cert=None,
        key=None,
        server_name=None,
        context=None,
        insecure_no_verification=False,
        psk=None,
    ):
        super().__init__(host, port)
        self._name = server_name or host
        self._cert = cert
        self._psk = psk
        self._answered = False  # has the broker shown its certificate?
        self._socket = None  # below the stream
        if not context:
            context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
            once("tlscontext").fill(context, tls.CERT_NONE, ca, cert, key, insecure_no_verification, psk)
            if hasattr(context, "verify_callback"):
                context.verify_callback = self._answer
        elif hasattr(context, "sslsocket_class"):  # CPython's
            context = tls.SSLContext(context)
        self._context = context
        self.verified = getattr(context, "verify_mode", 0) == tls.CERT_REQUIRED

    def _answer(self, certificate, depth):
        self._answered = True
        return 0

    def open(self):
        """Begin to connect and return the stream. Raises OSError. Waits for the look-up of a name only."""
        self._socket = None
        gc.collect()  # for the largest piece
        self._answered = False
        stream = super().open()
        try:
            secure = self._context.wrap_socket(
                stream, server_hostname=self._name, do_handshake_on_connect=False
            )
        except (OSError, MemoryError):
            stream.close()
            raise
        self._socket = stream
        return secure

    def explain(self, e, handshaking):
        """What the stream, or open(), raised: a TLSError where it is TLS's, else the error itself."""
        mine = self._socket is None and isinstance(e, MemoryError)  # out of open()
        if not mine and not isinstance(e, (OSError, ValueError)):
            return e
        if handshaking and self._socket and e.args[:1] != (_EOF,):
            self._socket.close()  # what fails in the handshake lets go of it without closing it
        try:
            return once("tlserror").explain(e, handshaking, self._answered, self._cert, self._psk)
        except MemoryError:
            return OSError(ENOMEM, "no memory to say why")
