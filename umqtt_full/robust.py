# The drop-in for umqtt.robust: each call goes on over an outage, however long it lasts.
#
# What a call has begun is kept, not begun again: on the next link a message that was accepted is sent, and a
# filter subscribed.
from time import sleep

from . import simple


class MQTTClient(simple.MQTTClient):
    """umqtt.simple's client that connects again by itself; subscriptions come back.

    `DELAY`: seconds between attempts. `DEBUG`: print what went wrong. delay(), log() and reconnect() are there to
    be overridden. All calls wait until there is a link again; an MQTTException (a refusal) is raised.
    """

    DELAY = 2
    DEBUG = False
    _again = False  # in reconnect()

    def delay(self, i):
        """Wait before attempt `i` + 1."""
        sleep(self.DELAY)

    def log(self, in_reconnect, e):
        """Tell of an OSError `e`."""
        if self.DEBUG:
            print("mqtt reconnect:" if in_reconnect else "mqtt:", repr(e))

    def reconnect(self):
        """Connect without a clean session until it succeeds, and return what connect() does."""
        i = 0
        while True:
            try:
                return self.connect(False)
            except OSError as e:
                self.log(True, e)
                i += 1
                self.delay(i)

    def check_msg(self, attempts=2):
        """As umqtt.simple's, but an outage makes it wait for a new link."""
        while attempts:
            try:
                return super().check_msg()
            except OSError as e:
                self._up(e)
            attempts -= 1

    def _keep_on(self, function, *args):
        while True:
            try:
                return function(*args)
            except OSError as e:
                self._up(e)

    def _up(self, e):
        if self._again:  # a connect() that publishes: its reconnect() goes on
            raise e
        self.log(False, e)
        self._again = True
        try:
            self.reconnect()
        finally:
            self._again = False
