# The names of errors, in words. Loaded while one is asked for.

# One string takes a third of a dict's memory.
_NAMES = (
    ",80=refused,81=malformed packet,82=protocol error,84=unsupported protocol version"
    ",85=client identifier not valid,86=bad user name or password,87=not authorized,88=server unavailable"
    ",8d=keep alive timeout,8e=session taken over,93=receive maximum exceeded,100=closed by the broker"
    ",101=connect timeout,103=source failed,"
)


def name(code):
    """What a code of MQTTError is called."""
    at = _NAMES.find(",%02x=" % code)
    return _NAMES[_NAMES.find("=", at) + 1 : _NAMES.find(",", at + 1)] if at >= 0 else "unknown"
