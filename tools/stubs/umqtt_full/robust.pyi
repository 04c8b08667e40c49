# The drop-in for umqtt.robust.
from . import simple

class MQTTClient(simple.MQTTClient):
    """umqtt.simple's client that connects again by itself; its calls wait until there is a link again."""

    DELAY: float
    """Seconds between attempts."""
    DEBUG: bool
    """Print what went wrong?"""
    def delay(self, i: int) -> None:
        """Wait before attempt `i` + 1. May be overridden."""
    def log(self, in_reconnect: bool, e: OSError) -> None:
        """Tell of an OSError. May be overridden."""
    def reconnect(self) -> int:
        """Connect without a clean session until it succeeds: what connect() returns."""
    def check_msg(self, attempts: int = 2) -> int | None:
        """As umqtt.simple's, but an outage makes it wait for a new link."""
