"""tools/flash.py: what it tells esptool, what it copies to a Pico, and an image that boots without a serial line.

Rule: the image is mounted by the virtual board as a board mounts its flash; what esptool is told, esptool reads.
"""
import json
import subprocess
import sys

import deploy
import env
import flash
import pytest
import virtual
from far import Far, wait_until
from process import clean_env

pytest.importorskip("mpremote", reason="mpremote is not installed")
littlefs = pytest.importorskip("littlefs", reason="littlefs-python is not installed")
FAMILY = flash.TARGETS["pico_w"].family


@pytest.fixture
def config(tmp_path, mosquitto, uid):
    settings = {"broker": mosquitto.url, "sensor": {"topic": f"{uid}/attic", "period_s": 0.2}}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    return tmp_path / "config.json"


def words(*arguments):
    return [str(argument) for argument in arguments]


@pytest.mark.skipif(bool(virtual.unavailable()), reason=str(virtual.unavailable()))
@pytest.mark.parametrize("target, size", (("esp32", 0x40000), ("pico_w", None)))
def test_an_image_boots_and_the_first_reading_arrives(target, size, config, tmp_path, mosquitto, uid):
    out = tmp_path / "vfs.bin"
    options = ["--size", size] if size else []
    arguments = words("image", target, "--config", config, "--out", out, "--application",
                      env.ROOT / "ports/esp32", "--platform", "linux", *options)
    assert flash.main(arguments) == 0
    assert out.stat().st_size == size or out.stat().st_size == flash.TARGETS[target].size
    with Far(mosquitto.port) as far:
        far.subscribe(f"{uid}/attic/reading", 1)
        with virtual.VirtualBoard(out):
            wait_until(lambda: far.got)


def test_an_image_holds_what_deploy_would_copy(config, tmp_path):
    out = tmp_path / "vfs.bin"
    assert flash.main(words("image", "pico_w", "--config", config, "--out", out)) == 0
    fs = littlefs.LittleFS(block_size=4096, block_count=out.stat().st_size // 4096, mount=False)
    fs.context.buffer = bytearray(out.read_bytes())
    fs.mount()
    there = {}
    for folder, _, names in fs.walk("/"):
        for name in names:
            with fs.open(f"{folder}/{name}", "rb") as file:
                there[f"{folder.rstrip('/')}/{name}"] = file.read()
    reads = flash.mpy.VERSION | flash.mpy.SUB_VERSION << 8
    wanted = deploy.settings(config)[1]
    wanted.update(deploy.files_of("standard", reads))
    wanted.update(deploy.application(env.ROOT / "ports/rp2", reads, "rp2"))
    assert there == wanted and fs.fs_stat().disk_version == flash.LITTLEFS


def test_an_image_that_is_too_small_names_the_file(config, tmp_path, capsys):
    assert flash.main(words("image", "esp32", "--config", config, "--out", tmp_path / "x", "--size", 0x8000)) == 1
    assert "does not fit into 32768 bytes" in capsys.readouterr().err


def read_uf2(data, family):
    """{address: 256 bytes} of a family, after checking the numbers of its blocks."""
    blocks = [data[i:i + 512] for i in range(0, len(data), 512)]
    ours = [b for b in blocks if int.from_bytes(b[28:32], "little") == family]
    numbers = [int.from_bytes(b[20:24], "little") for b in ours]
    assert numbers == list(range(len(ours)))
    for b in ours:
        assert b[:4] == b"UF2\n" and b[4:8] == bytes.fromhex("57515d9e") and b[-4:] == bytes.fromhex("306fb10a")
        assert b[8:12] == b"\0\x20\0\0" and int.from_bytes(b[24:28], "little") == len(ours)
        assert int.from_bytes(b[16:20], "little") == 256
    return {int.from_bytes(b[12:16], "little"): b[32:288] for b in ours}


def make_firmware(path):
    """A UF2 file with two sectors of a program, and one block of another family, as those of a Pico 2 have."""
    program = flash.uf2_blocks(b"\x01" * 8192, flash.XIP, FAMILY)
    other = flash.uf2_blocks(b"\x02" * 4096, flash.XIP, 0xE48BFF57)[:1]
    path.write_bytes(flash.join_uf2(FAMILY, other, program))
    return path


def test_one_file_for_a_pico_holds_firmware_and_filesystem_where_they_belong(config, tmp_path):
    firmware = make_firmware(tmp_path / "firmware.uf2")
    common = ["image", "pico_w", "--config", config]
    assert flash.main(words(*common, "--out", tmp_path / "vfs.bin")) == 0
    assert flash.main(words(*common, "--out", tmp_path / "all.uf2", "--firmware", firmware)) == 0
    pages = read_uf2((tmp_path / "all.uf2").read_bytes(), FAMILY)
    start = 0x10000000 + 2 * 1024 * 1024 - 848 * 1024  # of the filesystem of a Pico W
    assert all(pages.pop(flash.XIP + at) == b"\x01" * 256 for at in range(0, 8192, 256))
    image = bytearray(b"\xff" * flash.TARGETS["pico_w"].size)
    for address, page in pages.items():
        image[address - start:address - start + 256] = page
    assert bytes(image) == (tmp_path / "vfs.bin").read_bytes()
    assert (tmp_path / "all.uf2").read_bytes()[28:32] == bytes.fromhex("57ff8be4")  # the other family is kept


# -- boards


@pytest.fixture
def started(monkeypatch):
    """What flash would run, and deploy be told, in place of doing it; esptool need not be there."""
    done = []

    class Ended:
        returncode = 0

    monkeypatch.setattr(flash.subprocess, "run", lambda command: done.append(command[1:]) or Ended)
    monkeypatch.setattr(flash, "need", lambda package, extra=False: None)
    monkeypatch.setattr(flash.deploy, "main", lambda arguments: done.append(["deploy", *arguments]) or 0)
    return done


def test_an_esp32_gets_its_firmware_where_its_chip_starts_and_then_the_application(started, tmp_path):
    (tmp_path / "f.bin").write_bytes(b"firmware")
    arguments = ["esp32", "--firmware", tmp_path / "f.bin", "--device", "/dev/x", "--erase"]
    assert flash.main(words(*arguments, "--", "--profile", "minimal")) == 0
    esptool = ["-m", "esptool", "--chip", "esp32", "--port", "/dev/x"]
    write = ["--baud", "460800", "write-flash", "0x1000", str(tmp_path / "f.bin")]
    follows = ["deploy", "--device", "/dev/x", "--profile", "minimal"]
    assert started == [[*esptool, "erase-flash"], [*esptool, *write], follows]
    started.clear()
    image = tmp_path / "vfs.bin"
    assert flash.main(words(*arguments[:-1], "--chip", "esp32c3", "--image", image)) == 0
    assert started[0][-4:] == ["0x0", str(tmp_path / "f.bin"), "0x200000", str(image)] and len(started) == 1


def test_esptool_understands_what_it_is_told(tmp_path):
    pytest.importorskip("esptool", reason="esptool is not installed")
    (tmp_path / "f.bin").write_bytes(b"firmware")
    arguments = words("esp32", "--firmware", tmp_path / "f.bin", "--image", tmp_path / "f.bin")
    command = [sys.executable, env.ROOT / "tools/flash.py", *arguments, "--device", tmp_path / "nowhere"]
    done = subprocess.run(command, env=clean_env(), capture_output=True, text=True)
    assert done.returncode == 1 and "flash: esptool failed" in done.stderr
    assert "could not open port" in done.stdout + done.stderr and "Usage" not in done.stdout + done.stderr


def test_a_pico_gets_its_firmware_on_the_drive_that_it_shows(started, tmp_path):
    firmware = make_firmware(tmp_path / "f.uf2")
    drive = tmp_path / "RPI-RP2"
    drive.mkdir()
    arguments = words("pico_w", "--firmware", firmware, "--volume", drive, "--device", "/dev/x")
    assert flash.main(arguments) == 1 and not started  # any folder is not a drive
    (drive / "INFO_UF2.TXT").write_text("UF2 Bootloader v3.0\n")
    assert flash.main(arguments) == 0
    assert (drive / "f.uf2").read_bytes() == firmware.read_bytes()
    assert started == [["deploy", "--device", "/dev/x"]]


@pytest.mark.parametrize("arguments, said", [
    (["esp32", "--erase"], "curl -fL --create-dirs -o"),
    (["pico_w", "--firmware", "/nowhere/f.uf2"], "no such file"),
    (["pico_w", "--firmware", __file__], "not a UF2 file"),
    (["esp32", "--chip", "esp8266", "--firmware", __file__], "--chip: one of esp32"),
])
def test_what_is_missing_is_said_with_the_way_to_get_it(started, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.setattr(flash, "CACHE", tmp_path)
    assert flash.main(arguments) == 1
    assert said in capsys.readouterr().err and not started


def test_the_newest_firmware_that_was_fetched_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(flash, "CACHE", tmp_path)
    for name in ("ESP32_GENERIC-20250809-v1.26.0.bin", "ESP32_GENERIC-20251209-v1.27.0.bin", "RPI_PICO_W-3.uf2"):
        (tmp_path / name).touch()
    assert flash.firmware(flash.TARGETS["esp32"], None).name == "ESP32_GENERIC-20251209-v1.27.0.bin"
