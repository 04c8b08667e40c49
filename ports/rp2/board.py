"""The Pico W under the bulb.  Rule: everything that touches hardware is in this file."""

import time

import network
from machine import PWM, Pin

WHITE_PIN, WARM_PIN = 15, 14  # each drives one colour of an LED strip, through a transistor
RETRY_MS = 10_000  # the Pico W does not return to a lost network by itself: we ask it to

_wlan = network.WLAN(network.STA_IF)
_led = Pin("LED", Pin.OUT)
_white = PWM(Pin(WHITE_PIN), freq=1000, duty_u16=0)
_warm = PWM(Pin(WARM_PIN), freq=1000, duty_u16=0)
_network = None
_asked = 0


def wifi(name, password):
    """Start Wi-Fi without power saving, which would delay each message, and return at once."""
    global _network, _asked
    _network, _asked = (name, password), time.ticks_ms()
    _wlan.active(True)
    _wlan.config(pm=network.WLAN.PM_NONE)
    _wlan.connect(name, password)


def alive():
    """Looks after Wi-Fi.  False would end the program; this one runs for ever."""
    global _asked
    if _network and not _wlan.isconnected() and time.ticks_diff(time.ticks_ms(), _asked) > RETRY_MS:
        _asked = time.ticks_ms()
        _wlan.connect(*_network)
    return True


def lamp(percent, warm):
    """Light one of the two colours; the LED on the board is on when either is."""
    _led.value(percent > 0)
    duty = percent * 65535 // 100
    _white.duty_u16(0 if warm else duty)
    _warm.duty_u16(duty if warm else 0)


def say(what, text):
    print("%-8s %s" % (what, text))
