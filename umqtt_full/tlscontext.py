# What TLS has to know: certificates and keys, put into an SSLContext. Loaded while one is made.
from binascii import a2b_base64


def fill(context, none, ca, cert, key, insecure, psk):
    """Fill a new SSLContext, see TLS; `none` is the module's CERT_NONE. Raises ValueError, OSError."""
    if insecure:
        context.verify_mode = none
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


def _ders(data):
    """The blocks of a PEM, decoded; or what is no PEM, as it is. A str is the name of a file."""
    if isinstance(data, str):
        with open(data, "rb") as file:
            data = file.read()
    parts = data.split(b"-----")
    return [a2b_base64(part) for part in parts[2::4]] or [data]
