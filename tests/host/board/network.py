# The module network of the ESP32 and of the Pico W, simulated: see air.py.
# Rule: a behaviour that is assumed is cited; both ports live in one class where they agree.
import air

STA_IF = 0
_ESP32_STATS = {  # ports/esp32/modnetwork_globals.h, and the reasons of esp_wifi_types
    "STAT_IDLE": 1000,
    "STAT_CONNECTING": 1001,
    "STAT_GOT_IP": 1010,
    "STAT_NO_AP_FOUND": 201,
    "STAT_WRONG_PASSWORD": 202,
    "STAT_CONNECT_FAIL": 203,
    "STAT_HANDSHAKE_TIMEOUT": 204,
    "STAT_BEACON_TIMEOUT": 200,
}
_RP2_STATS = {  # extmod/modnetwork.c: mp_module_network_globals_table; values of cyw43.h: CYW43_LINK_*
    "STAT_IDLE": 0,
    "STAT_CONNECTING": 1,
    "STAT_WRONG_PASSWORD": -3,
    "STAT_NO_AP_FOUND": -2,
    "STAT_CONNECT_FAIL": -1,
    "STAT_GOT_IP": 3,
}
_settings = {"hostname": "mpy", "country": "XX"}
_wlan = None


def reset():
    """Power on."""
    global _wlan
    for name in list(_ESP32_STATS) + list(_RP2_STATS):
        globals().pop(name, None)
    globals().update(_ESP32_STATS if air.world.chip == "esp32" else _RP2_STATS)
    _settings.update(hostname="mpy", country="XX")
    _wlan = None
    for name in ("PM_NONE", "PM_PERFORMANCE", "PM_POWERSAVE"):
        setattr(_Wlan, name, (_ESP32_PM if air.world.chip == "esp32" else _RP2_PM)[name])


_ESP32_PM = {"PM_NONE": 0, "PM_PERFORMANCE": 1, "PM_POWERSAVE": 2}  # network_wlan.c: wlan_if_locals_dict_table
# extmod/network_cyw43.c: CYW43_PM_VALUE
_RP2_PM = {"PM_NONE": 0x10, "PM_PERFORMANCE": 0xA11142, "PM_POWERSAVE": 0x11}


def hostname(name=None):
    # extmod/modnetwork.c: mod_network_hostname
    if name is None:
        return _settings["hostname"]
    if len(name) > 32:
        raise ValueError()
    _settings["hostname"] = name


def country(code=None):
    # extmod/modnetwork.c: network_country
    if code is None:
        return _settings["country"]
    if len(code) != 2:
        raise ValueError()
    _settings["country"] = code


class _Wlan:
    IF_STA = 0
    IF_AP = 1
    PM_NONE = PM_PERFORMANCE = PM_POWERSAVE = 0  # see reset()

    def __init__(self):
        self._active = False
        self._powered = False  # rp2: is the chip up?
        self._wish = None  # (ssid, password, bssid), while it is to be connected
        self._at = 0  # when this attempt began
        self._point = None
        self._reason = 0  # esp32: wifi_sta_disconn_reason; rp2: what is left in wifi_join_state
        self._static = None
        self._rejoin_ms = 0
        self.pm = None
        self.country = self.hostname = None  # as the chip has them
        self.restarts = 0

    # -- what goes on by itself

    def _step(self):
        """Bring the state up to now."""
        now = air.world.clock.now
        if self._point and not (self._point.there or self._point.silent):
            self._lose(200)  # beacon timeout
        if not self._wish or self._point:
            return
        ssid, password, bssid = self._wish
        point = air.world.find(ssid, bssid)
        if point and point.password == password:
            if now - self._at >= air.JOIN_MS:
                self._point = point
                self._joined = self._at + air.JOIN_MS
        elif now - self._at >= air.FAIL_MS:
            self._fail(202 if point else 201)

    def _fail(self, reason):
        if air.world.chip == "esp32":
            # network_wlan.c: network_wlan_wifi_event_handler: STA_DISCONNECTED calls esp_wifi_connect() again, for
            # ever by default, and the reason is not cleared by connect() but by an address only
            self._reason = reason
            self._at = air.world.clock.now
        else:
            # cyw43_ctrl.c: cyw43_cb_process_async_event: the state stays as it is; nobody tries again
            self._reason = {201: -2, 202: -3}[reason]
            self._wish = None

    def _lose(self, reason):
        self._point = None
        if air.world.chip == "esp32":
            self._reason = reason
            self._at = air.world.clock.now  # and it tries again
        else:
            self._reason = 0  # EV_DISASSOC: wifi_join_state = 0
            self._wish = None

    # -- the face

    def active(self, on=None):
        if on is None:
            return self._active
        world = air.world
        world.log.append("active " + str(bool(on)))
        if on and not self._active:
            if world.chip == "esp32" or not self._powered:
                # cyw43_ctrl.c: cyw43_wifi_set_up: country and power saving are set where the chip comes up only
                self.country = country()
                self.pm = self.PM_PERFORMANCE
                self._powered = True
                self.restarts += 1
            self._static = None if world.chip == "rp2" else self._static  # cyw43_cb_tcpip_init: DHCP again
        if not on:
            self._wish = self._point = None
        self._active = bool(on)
        return None

    def connect(self, ssid=None, key=None, *, bssid=None):
        world = air.world
        self._step()
        world.log.append("connect " + ssid + (" bssid" if bssid else ""))
        if not self._active:
            # network_common.c: esp_exceptions_helper; cyw43_ctrl.c: cyw43_wifi_join: -CYW43_EPERM
            raise OSError("Wifi Not Started") if world.chip == "esp32" else OSError(1)
        if world.chip == "esp32" and self._wish and not self._point:
            # esp_wifi_set_config() while connecting is ESP_ERR_WIFI_STATE
            raise OSError("Wifi Internal State Error")
        if bssid is not None and len(bssid) != 6:
            raise ValueError()
        self.hostname = hostname()  # network_wlan.c: network_wlan_connect; cyw43_lwip.c at the start of DHCP
        self._wish = ssid, key, bssid
        self._at = world.clock.now
        self._point = None
        if world.chip == "rp2":
            self._reason = 0  # cyw43_ctrl.c: cyw43_wifi_join: WIFI_JOIN_STATE_ACTIVE

    def disconnect(self):
        self._step()
        air.world.log.append("disconnect")
        if air.world.chip == "esp32" and not self._active:
            raise OSError("Wifi Not Started")
        self._wish = self._point = None

    def isconnected(self):
        self._step()
        return bool(self._point) and air.world.clock.now - self._joined >= (0 if self._static else air.DHCP_MS)

    def status(self, what=None):
        if what == "rssi":
            return self._point.rssi
        if self.isconnected():
            return 1010 if air.world.chip == "esp32" else 3
        if air.world.chip == "esp32":
            # network_wlan.c: network_wlan_status: these reasons are reported even while it tries again
            if self._reason in (201, 202):
                return self._reason
            return 1001 if self._wish else 1000
        if self._point:
            return 2  # cyw43_lwip.c: cyw43_tcpip_link_status: CYW43_LINK_NOIP
        return 1 if self._wish else self._reason

    def ifconfig(self, static=None):
        if static is None:
            own = ("10.0.0.7", "255.255.255.0", "10.0.0.1", "10.0.0.1") if self.isconnected() else ("0.0.0.0",) * 4
            return self._static or own
        assert len(static) == 4 and isinstance(static, tuple)
        self._static = static

    def config(self, name=None, **settings):
        for key, value in settings.items():
            if key == "pm":
                self.pm = value
            elif key == "reconnects" and air.world.chip == "esp32":
                pass
            else:
                raise ValueError("unknown config param")

    def scan(self):
        # network_wlan.c: network_wlan_scan: esp_wifi_scan_start(&config, 1) blocks, and what it refuses, as while
        # connecting, is an empty list; network_cyw43.c: network_cyw43_scan waits up to 10 s
        world = air.world
        self._step()
        world.scans.append(world.clock.now)
        if not self._active:
            raise OSError("STA must be active") if world.chip == "esp32" else OSError(1)
        if world.chip == "esp32" and self._wish and not self._point:
            return []
        world.clock.now += air.SCAN_MS
        return [(p.ssid.encode(), p.bssid, 6, p.rssi, 3, False) for p in world.points if p.there and not p.silent]


class _Cyw43(_Wlan):
    def deinit(self):
        # network_cyw43.c: network_cyw43_deinit, cyw43_ctrl.c: cyw43_deinit: the power of the chip is cut
        air.world.log.append("deinit")
        self._powered = False
        self._wish = self._point = None
        for point in air.world.points:
            point.silent = False


def _make(interface=0):
    global _wlan
    if not _wlan:
        _wlan = _Cyw43() if air.world.chip == "rp2" else _Wlan()
    return _wlan


class WLAN:
    """The type, whose call gives the one station there is."""

    IF_STA = 0

    def __new__(cls, interface=0):
        return _make(interface)
