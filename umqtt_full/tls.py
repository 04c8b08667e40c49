# TLS: the server of net.py whose stream is encrypted. The handshake goes on inside readinto() and write().
#
# The stream is the port's own TLS socket, so nothing of ours stands between it and the engine. What it
# raises is put in words by explain(), which the link asks; see tlserror.py.
import gc
from binascii import a2b_base64
from errno import ENOMEM

from micropython import const

from .net import TCP

try:
    import tls
except ImportError:
    import ssl as tls

if hasattr(tls, "SSLSocket"):
    from ._cpython import tls

_EOF = const(-0x7280)  # mbedtls's number; it is not in the modules


def _ders(data):
    """The blocks of a PEM, decoded; or what is no PEM, as it is. A str is the name of a file."""
    if isinstance(data, str):
        with open(data, "rb") as file:
            data = file.read()
    parts = data.split(b"-----")
    return [a2b_base64(part) for part in parts[2::4]] or [data]


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
            self._fill(context, ca, cert, key, insecure_no_verification, psk)
        elif hasattr(context, "sslsocket_class"):  # CPython's
            context = tls.SSLContext(context)
        self._context = context
        self.verified = getattr(context, "verify_mode", 0) == tls.CERT_REQUIRED

    def _fill(self, context, ca, cert, key, insecure, psk):
        if insecure:
            context.verify_mode = tls.CERT_NONE
        elif ca:
            for der in _ders(ca):
                context.load_verify_locations(der)
        elif not psk:
            if not hasattr(context, "load_default_certs"):
                raise ValueError("ca: this port has none of its own")
            context.load_default_certs()
        if cert or key:
            if not cert or not key:
                raise ValueError("cert, key: both or none")
            chain = _ders(cert)
            context.load_cert_chain(chain[0] if len(chain) == 1 else cert, _ders(key)[-1])
        if psk:
            if not hasattr(context, "psk_key"):
                raise ValueError("psk: this port has none")
            context.psk_identity, context.psk_key = psk
        if hasattr(context, "verify_callback"):
            context.verify_callback = self._answer

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
            from .tlserror import explain
        except MemoryError:
            return OSError(ENOMEM, "no memory to say why")
        return explain(e, handshaking, self._answered, self._cert, self._psk)
