# The ESP32 under the sensor.  Rule: everything that touches hardware is in this file, but for Wi-Fi.
import esp32
import machine

TMP36_PIN = 34  # used on chips that cannot tell their own temperature in Celsius

# name, device class and unit, as Home Assistant knows them, of what read() gives
QUANTITIES = (("celsius", "temperature", "\xb0C"),)


def read():
    """A tuple of tenths, one for each of QUANTITIES."""
    if hasattr(esp32, "mcu_temperature"):  # S2, S3, C3, C6
        return (esp32.mcu_temperature() * 10,)
    microvolts = machine.ADC(machine.Pin(TMP36_PIN), atten=machine.ADC.ATTN_11DB).read_uv()
    return (microvolts // 1000 - 500,)  # 10 mV for each degree, from 500 mV


def alive():
    """False would end the program; this one runs for ever."""
    return True


def say(what, text):
    print("%-8s %s" % (what, text))


def restart():
    machine.reset()


def watchdog(timeout_ms):
    """Start the watchdog, which nothing stops any more; return the function that feeds it."""
    return machine.WDT(timeout=timeout_ms).feed


def set_clock(tm):
    """Set the clock to what time.gmtime() gave."""
    machine.RTC().datetime((tm[0], tm[1], tm[2], tm[6] + 1, tm[3], tm[4], tm[5], 0))


# Sleep


def memory():
    """The function that reads, and writes, 2,048 bytes which outlive deep sleep."""
    return machine.RTC().memory


def woke():
    """Was it deep sleep that ended, and not the power that came?"""
    return machine.reset_cause() == machine.DEEPSLEEP_RESET


def deep_sleep(ms):
    """Does not return: the program begins anew after `ms`, or when a pin says so (esp32.wake_on_ext0)."""
    machine.deepsleep(ms)


def light_sleep(ms):
    """Returns after `ms`; Wi-Fi must be off."""
    machine.lightsleep(ms)


# Updates


def running():
    """The partition that this firmware runs from."""
    return esp32.Partition(esp32.Partition.RUNNING)


def keep_firmware():
    """Firmware on trial is kept: without this the boot loader goes back to the one before."""
    try:
        esp32.Partition.mark_app_valid_cancel_rollback()
    except OSError:
        pass  # there was none on trial


# Ethernet, for "network": {"lan": true}. These pins are those of an Olimex ESP32-POE: change them for yours.
# PPP fits the same way: return a network.PPP that is active and connecting.


def lan():
    """An interface with isconnected() that looks after itself."""
    import network

    nic = network.LAN(
        mdc=machine.Pin(23),
        mdio=machine.Pin(18),
        power=machine.Pin(12),
        phy_type=network.PHY_LAN8720,
        phy_addr=0,
    )
    nic.active(True)
    return nic
