# The Pico W under the bulb.  Rule: everything that touches hardware is in this file, but for Wi-Fi.
import machine
from machine import PWM, Pin

RED_PIN, GREEN_PIN, BLUE_PIN = 13, 14, 15  # each drives one colour of an LED strip, through a transistor

_led = Pin("LED", Pin.OUT)  # it hangs on the Wi-Fi chip, not on the processor
_colours = [PWM(Pin(pin), freq=1000, duty_u16=0) for pin in (RED_PIN, GREEN_PIN, BLUE_PIN)]
_on = False


def light(red, green, blue):
    """Show a colour, 0 to 255 each; the LED on the board is on when there is any."""
    global _on
    for pwm, value in zip(_colours, (red, green, blue)):
        pwm.duty_u16(value * value * 65535 // 65025)  # the square: eyes see it even
    on = red + green + blue > 0
    if on != _on:
        _on = on
        _led.value(on)


def alive():
    """False would end the program; this one runs for ever."""
    return True


def say(what, text):
    print("%-8s %s" % (what, text))


def restart():
    machine.reset()


def watchdog(timeout_ms):
    """Start the watchdog, which nothing stops any more; return the function that feeds it. At most 8,388 ms."""
    return machine.WDT(timeout=min(timeout_ms, 8388)).feed


def set_clock(tm):
    """Set the clock to what time.gmtime() gave."""
    machine.RTC().datetime((tm[0], tm[1], tm[2], tm[6] + 1, tm[3], tm[4], tm[5], 0))


def light_sleep(ms):
    """Returns after `ms`. Wi-Fi must be off: else the chip's interrupts end it at once."""
    machine.lightsleep(ms)
