# URLs: the server, user and password that one names. Loaded while a client is made.
from .net import TCP

_PORTS = {"mqtt": 1883, "tcp": 1883, "mqtts": 8883, "tls": 8883, "ws": 80, "wss": 443}


def parse(url):
    """User, password, whether it is over TLS, over WebSocket, host, port and path of a URL.

    "mqtt://user:password@host:port". The schemes: mqtt and tcp (port 1883), mqtts and tls (8883), ws (80) and
    wss (443); only the last two have a path, with its query. User and password may be percent-encoded, and
    are bytes; None where they are not given. ValueError names the part that is wrong.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in _PORTS:
        raise ValueError("url: scheme")
    rest, slash, path = rest.partition("/")
    web = scheme.startswith("ws")
    if path and not web:
        raise ValueError("url: path")
    login, at, host = rest.rpartition("@")
    user, colon, password = login.partition(":")
    port = ""
    if not host.endswith("]"):  # [::1] has colons of its own
        address, is_port, digits = host.rpartition(":")
        if is_port:
            host = address
            port = digits
            if not port.isdigit() or not 0 < int(port) < 65536:
                raise ValueError("url: port")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("url: an IPv6 address stands in [brackets]")
    if not host or "?" in host:
        raise ValueError("url: host")
    user = _unquote(user) if at else None
    password = _unquote(password) if colon else None
    return user, password, scheme in ("mqtts", "tls", "wss"), web, host, int(port or _PORTS[scheme]), slash + path


def _unquote(text):
    """The bytes of `text`, with %XX for any of them."""
    data, *parts = text.encode().split(b"%")
    for part in parts:
        try:
            data += bytes([int(part[0:1], 16) << 4 | int(part[1:2], 16)]) + part[2:]
        except ValueError:
            raise ValueError("url: user or password")
    return data


def servers(given, tls):
    """The list of servers for what a client was given, with user and password of the first URL; `tls`: arguments.

    Raises ValueError.
    """
    found = []
    user = password = None
    secure = False
    for server in given if isinstance(given, (list, tuple)) else (given,):
        if isinstance(server, str):
            login, word, *parts = parse(server)
            server = _server(*parts, tls)
            if user is None and password is None:
                user, password = login, word
            secure = secure or parts[0]
        found.append(server)
    if tls and not secure:
        raise ValueError("%s: only with mqtts:// or wss://" % list(tls))
    return found, user, password


def _server(secure, web, host, port, path, tls):
    """The server for what parse() found, with `tls` as arguments of TLS."""
    if secure:
        from .tls import TLS

        inner = TLS(host, port, **tls)
    else:
        inner = TCP(host, port)
    if not web:
        return inner
    from .ws import WebSocket

    if ":" in host:
        host = "[%s]" % host
    if port != (443 if secure else 80):
        host = "%s:%d" % (host, port)
    return WebSocket(inner, host, path or "/mqtt")
