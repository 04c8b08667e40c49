"""The ESP32 under the sensor.  Rule: everything that touches hardware is in this file."""

import time

import esp32
import network
from machine import ADC, Pin

PERIOD_MS = 10_000  # between two readings
TMP36_PIN = 34  # used on chips that cannot tell their own temperature in Celsius

_wlan = network.WLAN(network.STA_IF)
_last = time.ticks_ms()


def wifi(name, password):
    """Start Wi-Fi and return at once; the ESP32 goes on trying, and returns to a lost network, by itself."""
    _wlan.active(True)
    if not _wlan.isconnected():
        _wlan.connect(name, password)


def alive():
    """False would end the program; this one runs for ever."""
    return True


def temperature():
    """Tenths of a degree Celsius, or None when it is not time for a reading yet."""
    global _last
    if time.ticks_diff(time.ticks_ms(), _last) < PERIOD_MS:
        return None
    _last = time.ticks_ms()
    if hasattr(esp32, "mcu_temperature"):  # S2, S3, C3, C6
        return int(esp32.mcu_temperature() * 10)
    millivolts = ADC(Pin(TMP36_PIN), atten=ADC.ATTN_11DB).read_uv() // 1000
    return millivolts - 500  # 10 mV for each degree, from 500 mV


def say(what, text):
    print("%-8s %s" % (what, text))
