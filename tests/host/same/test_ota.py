# An image over the air: applied when it is whole and right, else everything stays as it was.
import hashlib
from binascii import hexlify

from boards import Board, Sim, on_the_air, section
from tiny import Broker

FILE = "image.bin"
IMAGE = bytes([0xE9]) + bytes([i * 7 & 255 for i in range(9999)])


def digest(data):
    return hexlify(hashlib.sha256(data).digest()).decode()


def sensor_of(b, broker, target, **keys):
    on_the_air(b, broker)
    keys = dict({"topic": "attic", "ota": target}, **keys)
    config = section(b, broker="mqtt://h", client_id="attic", sensor=keys)
    board = Sim(b)
    import esp32

    board.running = lambda: esp32.Partition(esp32.Partition.RUNNING)
    s = b.load("sensor").make(config, board)
    b.load("sensor")
    turn(b, s, 300)
    broker.piece = 100
    return s


def turn(b, s, ms):
    end = b.now + ms
    while b.now < end:
        s.turn()
        b.now += 1


def content(path=FILE):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def test_a_file_takes_its_place_and_the_board_starts_anew():
    with Board() as b:
        broker = Broker()
        s = sensor_of(b, broker, FILE)
        assert broker.filters == ["attic/ota/+"]
        broker.send("attic/ota/" + digest(IMAGE), IMAGE)
        for _ in range(10000):
            s.turn()
            if s.board.restarts:
                break
        assert content() == IMAGE and content(FILE + ".new") is None
        assert broker.of("attic/ota") == ["applied " + digest(IMAGE)]
        assert broker.wire[-1] == "DISCONNECT" and s.board.restarts == 1


def test_firmware_is_started_next():
    with Board() as b:
        broker = Broker()
        s = sensor_of(b, broker, "firmware")
        assert s.board.kept == 1  # the one that runs has proved itself
        broker.send("attic/ota/" + digest(IMAGE), IMAGE)
        turn(b, s, 1500)
        assert bytes(b.world.partitions["ota_1"][: len(IMAGE)]) == IMAGE
        assert b.world.log.count("boot ota_1") == 1 and s.board.restarts == 1


def test_what_the_boot_loader_refuses_is_refused():
    with Board() as b:
        broker = Broker()
        s = sensor_of(b, broker, "firmware")
        broker.send("attic/ota/" + digest(b"text"), b"text")
        turn(b, s, 1500)
        assert broker.of("attic/ota")[0].startswith("refused: ") and not s.board.restarts
        assert "boot ota_1" not in b.world.log and content("ota.txt") is None


def test_a_wrong_hash_is_refused_and_the_old_image_stays():
    for target in (FILE, "firmware"):
        with Board() as b:
            with open(FILE, "wb") as file:
                file.write(b"old")
            broker = Broker()
            s = sensor_of(b, broker, target)
            broker.send("attic/ota/" + digest(b"another"), IMAGE)
            turn(b, s, 1500)
            assert broker.of("attic/ota") == ["refused: wrong hash"]
            assert content() == b"old" and not s.board.restarts and "boot ota_1" not in b.world.log
            assert not s.ota.busy
            broker.send("attic/ota/" + digest(IMAGE), IMAGE)
            turn(b, s, 1500)
            assert s.board.restarts == 1


def test_a_cut_in_the_middle_begins_it_anew():
    for target in (FILE, "firmware"):
        with Board() as b:
            broker = Broker()
            s = sensor_of(b, broker, target)
            s.mqtt.retry_max_ms = 100
            broker.send("attic/ota/" + digest(IMAGE), IMAGE)
            for _ in range(20):
                s.turn()
                if s.ota.busy:
                    break
            assert s.ota.busy
            broker.link.cut = True
            turn(b, s, 1000)
            assert s.mqtt.connected and content() is None and not s.board.restarts
            broker.send("attic/ota/" + digest(IMAGE), IMAGE)
            turn(b, s, 1500)
            assert s.board.restarts == 1
            if target == FILE:
                assert content() == IMAGE
            else:
                assert bytes(b.world.partitions["ota_1"][: len(IMAGE)]) == IMAGE


def test_an_image_that_is_too_large_is_let_go():
    with Board() as b:
        broker = Broker()
        s = sensor_of(b, broker, "firmware")
        broker.piece = 4000
        image = bytes(17000)
        broker.send("attic/ota/" + digest(image), image)
        turn(b, s, 3000)
        assert broker.of("attic/ota") == ["refused: 17000 bytes are too large"] and not s.board.restarts
        assert s.mqtt.connected


def test_a_file_that_is_too_large_for_the_disk_is_let_go():
    with Board() as b:
        broker = Broker()
        s = sensor_of(b, broker, FILE)
        ota = b.load("ota")
        real = ota.os

        class Os:
            remove = staticmethod(real.remove)

            @staticmethod
            def statvfs(path):
                return (4096, 4096, 10, 4, 4)

        ota.os = Os
        broker.send("attic/ota/" + digest(IMAGE), IMAGE)
        turn(b, s, 1500)
        assert broker.of("attic/ota") == ["refused: 10000 bytes are too large"] and content() is None


def test_a_disk_that_fails_leaves_the_old_image():
    with Board() as b:
        broker = Broker()
        s = sensor_of(b, broker, FILE)

        def fail(data):
            raise OSError(28, "ENOSPC")

        s.ota._target.write = fail
        broker.send("attic/ota/" + digest(IMAGE), IMAGE)
        turn(b, s, 1500)
        assert broker.of("attic/ota")[0].startswith("refused: ") and "28" in broker.of("attic/ota")[0]
        assert len(broker.of("attic/ota")) == 1 and content() is None


def test_what_runs_already_is_not_taken_again_though_it_be_retained():
    with Board() as b:
        broker = Broker()
        with open("ota.txt", "w") as file:
            file.write(digest(IMAGE))
        s = sensor_of(b, broker, FILE)
        broker.send("attic/ota/" + digest(IMAGE), IMAGE)
        turn(b, s, 1500)
        assert broker.of("attic/ota") == ["refused: it is what runs"] and content() is None
        broker.send("attic/ota/short", IMAGE)
        turn(b, s, 1500)
        assert "the topic must end with the SHA-256" in broker.of("attic/ota")[1]


def test_readings_go_on_after_a_refusal():
    with Board() as b:
        broker = Broker()
        s = sensor_of(b, broker, FILE, period_s=1)
        broker.send("attic/ota/" + digest(b"x"), IMAGE)
        turn(b, s, 4000)
        assert len(broker.of("attic/reading")) >= 4
