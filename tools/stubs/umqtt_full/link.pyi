# When to connect: what each client has of it.
from collections.abc import Callable
from typing import Literal

from .errors import MQTTError

def backoff(failures: int, low_ms: int, high_ms: int) -> int:
    """Milliseconds to wait: random up to `low_ms`, doubled for each failure up to `high_ms`."""

class Link:
    """What a face is built on."""

    gate: Callable[[], object] | None
    """Says whether there is a network; without one nothing is tried."""
    watchdog: Callable[[], object] | None
    """Called as poll() goes on, once a second at least."""
    connect_ms: int
    """For all from open to the answers to SUBSCRIBE; 10,000 ms."""
    retry_min_ms: int
    """Before a retry: a random time of up to 1,000 ms, doubled at each failure."""
    retry_max_ms: int
    """The most it is doubled to: 60,000 ms."""
    stable_ms: int
    """A link that lasted 10,000 ms begins that anew."""
    server: int
    """Index of the server in use."""
    state: Literal["offline", "connecting", "connected"]
    reason: MQTTError | OSError | None
    """Why the last link, or attempt at one, ended."""
    attempts: int
    """Since a link was stable."""
    def next_ms(self) -> int:
        """Milliseconds until poll() has something to do by itself, -1 if never."""
