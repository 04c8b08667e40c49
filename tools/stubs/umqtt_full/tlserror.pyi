# What can go wrong with TLS, in words.
class TLSError(OSError):
    """TLS failed: "clock not set", "unknown CA", "wrong host name", "not enough contiguous memory" and more."""

    name: str
    """Why, in words."""
    raw: str
    """What the port says."""
    def __init__(self, name: str, raw: str) -> None: ...
