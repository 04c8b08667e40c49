# What touches hardware, on simulated hardware: ports/*/board.py.
from boards import Board, ends


def test_an_esp32_reads_what_it_has():
    with Board("esp32") as b:
        board = b.load("board")
        assert board.read() == (221,)  # a TMP36: 721 mV
        board.esp32.mcu_temperature = lambda: 35
        assert board.read() == (350,)
        assert len(board.QUANTITIES) == len(board.read())


def test_an_esp32_sleeps_and_knows_why_it_woke():
    with Board("esp32") as b:
        board = b.load("board")
        assert not board.woke()
        board.memory()(b"kept")
        assert ends(board.deep_sleep, 5000) == "deepsleep"
        assert board.woke() and board.memory()() == b"kept"
        before = b.now
        board.light_sleep(700)
        assert b.now == before + 700


def test_an_esp32_keeps_firmware_that_works():
    with Board("esp32") as b:
        board = b.load("board")
        board.keep_firmware()
        assert b.world.log == ["valid"]

        def fail():
            raise OSError(-261)

        board.esp32.Partition.mark_app_valid_cancel_rollback = fail
        board.keep_firmware()
        assert board.running().info()[4] == "ota_0"


def test_ethernet_has_the_face_that_the_network_wants():
    with Board("esp32") as b:
        board = b.load("board")

        class Lan:
            def __init__(self, **keys):
                self.keys = keys

            def active(self, on):
                self.on = on

        b.network.LAN, b.network.PHY_LAN8720 = Lan, 8720
        board.machine.Pin.__init__ = lambda self, number: None
        assert board.lan().on is True


def test_a_pico_w_shows_colours_and_its_own_led():
    with Board("rp2") as b:
        board = b.load("board")
        assert "LED" not in b.world.pins
        board.light(255, 128, 0)
        assert b.world.pins[13] == 65535 and b.world.pins[15] == 0
        assert 16000 < b.world.pins[14] < 17000  # even to the eye: the square
        assert b.world.pins["LED"] == 1
        board.light(0, 0, 0)
        assert b.world.pins["LED"] == 0 and b.world.pins[13] == 0


def test_both_have_a_watchdog_a_clock_and_a_restart():
    for chip in ("esp32", "rp2"):
        with Board(chip) as b:
            board = b.load("board")
            board.watchdog(20000)()
            assert b.world.watchdog_ms == (8388 if chip == "rp2" else 20000) and "feed" in b.world.log
            board.set_clock((2027, 1, 15, 8, 0, 1, 4, 15))
            assert b.world.datetime == (2027, 1, 15, 5, 8, 0, 1, 0)
            assert board.alive() is True
            assert ends(board.restart) == "reset"
            board.say("link", "up")
