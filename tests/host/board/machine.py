# The module machine of both boards, simulated: see air.py.
import air

# ports/esp32/modmachine.c: reset_reason_t
PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5


class Asleep(SystemExit):
    """Deep sleep or a reset: on a board nothing after it is run, whatever is caught."""


def reset():
    air.world.log.append("reset")
    raise Asleep("reset")


def reset_cause():
    return air.world.reset_cause


def deepsleep(ms):
    # modmachine.c: mp_machine_deepsleep does not return; the cause of the next start is DEEPSLEEP_RESET
    air.world.log.append("deepsleep " + str(ms))
    air.world.reset_cause = DEEPSLEEP_RESET
    raise Asleep("deepsleep")


def lightsleep(ms):
    # modmachine.c (esp32): esp_light_sleep_start: Wi-Fi must have been stopped before, its links are lost;
    # modmachine.c (rp2): mp_machine_lightsleep returns at once while cyw43_poll_is_pending()
    air.world.log.append("lightsleep " + str(ms))
    air.world.clock.now += ms


def unique_id():
    return b"\x24\x6f\x28\x01\x02\x03"


class RTC:
    def memory(self, data=None):
        # ports/esp32/machine_rtc.c: machine_rtc_memory; MICROPY_HW_RTC_USER_MEM_MAX is 2048
        if data is None:
            return air.world.rtc_memory
        if len(data) > 2048:
            raise ValueError("buffer too long")
        air.world.rtc_memory = bytes(data)

    def datetime(self, when):
        # machine_rtc.c: machine_rtc_datetime_helper: eight items; the day of the week is not looked at
        assert len(when) == 8
        air.world.datetime = when


class WDT:
    def __init__(self, id=0, timeout=5000):  # noqa: A002
        # ports/rp2/machine_wdt.c: WDT_TIMEOUT_MAX
        if air.world.chip == "rp2" and timeout > 8388:
            raise ValueError("timeout exceeds 8388")
        air.world.watchdog_ms = timeout
        self.fed = 0

    def feed(self):
        self.fed += 1
        air.world.log.append("feed")


class Pin:
    OUT = 1

    def __init__(self, name, mode=None):
        self.name = name

    def value(self, on):
        air.world.pins[self.name] = int(on)


class PWM:
    def __init__(self, pin, freq, duty_u16):
        self._name = pin.name
        self.duty_u16(duty_u16)

    def duty_u16(self, duty):
        # ports/rp2/machine_pwm.c: mp_machine_pwm_duty_set_u16: up to 65535
        assert 0 <= duty <= 65535
        air.world.pins[self._name] = duty


class ADC:
    ATTN_11DB = 3

    def __init__(self, pin, atten):
        pass

    def read_uv(self):
        # ports/esp32/machine_adc.c: microvolts
        return 721000
