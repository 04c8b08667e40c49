"""Put MicroPython on a new board, then the library and the application; or make what a series of boards is given.

    python3 tools/flash.py esp32 --firmware FILE.bin                  # esptool, then tools/deploy.py
    python3 tools/flash.py pico_w --firmware FILE.uf2                 # copied to the drive that BOOTSEL shows
    python3 tools/flash.py image pico_w --config FILE --out all.uf2   # firmware and filesystem in one file
    python3 tools/flash.py image esp32 --config FILE --out vfs.bin    # then: flash.py esp32 --image vfs.bin

What stands after `--` goes to deploy. Rule: nothing is fetched from a network, the command for it is printed; an
image holds just what deploy would have copied, so a board that is given it never needs a serial line.
"""
import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

import deploy
import env
import mpy
import profiles
from device import BoardError, need

CACHE = env.ROOT / "build/firmware"
SOURCE = "https://micropython.org/resources/firmware/"
BLOCK = 4096
LITTLEFS = 0x00020000  # version 2.0 of its format, which every MicroPython reads


class Target:
    """A kind of board. `offset`, `size`: where its filesystem lies in the flash, in bytes."""

    def __init__(self, port, firmware, offset, size, family=None):
        self.port, self.firmware, self.offset, self.size, self.family = port, firmware, offset, size, family


TARGETS = {
    # ports/esp32/partitions-4MiBplus.csv and main.c: "vfs" is all from the end of the application to the end
    # of the flash, here of 4 MiB
    "esp32": Target("esp32", "ESP32_GENERIC-20260406-v1.28.0.bin", 0x200000, 0x200000),
    # ports/rp2/boards/RPI_PICO_W, RPI_PICO2_W: MICROPY_HW_FLASH_STORAGE_BYTES, at the end of 2 and 4 MiB of flash
    "pico_w": Target("rp2", "RPI_PICO_W-20260406-v1.28.0.uf2", (2 << 20) - 868352, 868352, 0xE48BFF56),
    "pico2_w": Target("rp2", "RPI_PICO2_W-20260406-v1.28.0.uf2", (4 << 20) - 2621440, 2621440, 0xE48BFF59),
}
# flash_offset of ports/esp32/boards/ESP32_GENERIC*/board.json
CHIPS = {
    "esp32": 0x1000, "esp32s2": 0x1000, "esp32s3": 0, "esp32c2": 0, "esp32c3": 0, "esp32c5": 0x2000, "esp32c6": 0,
    "esp32p4": 0x2000,
}
VOLUMES = ("/media/*/*", "/run/media/*/*", "/Volumes/*", "/mnt/*")
XIP = 0x10000000  # where an RP2's flash is seen
DRIVE_S = 60


def firmware(target, given):
    """The firmware file: the one given, or the newest of its kind in build/firmware."""
    if given:
        if not given.is_file():
            raise deploy.Failed(f"{given}: no such file")
        return given
    kind = target.firmware.split("-")[0]
    there = sorted(CACHE.glob(f"{kind}-*"))
    if there:
        return there[-1]
    raise deploy.Failed(f"no firmware: give --firmware FILE, or fetch it, and run this again:\n"
                        f"  curl -fL --create-dirs -o {CACHE / target.firmware} {SOURCE}{target.firmware}\n"
                        f"other boards and versions: https://micropython.org/download/")


# -- images


def make_image(files, size):
    """The bytes of a littlefs of `size` bytes with these files, {path: bytes}."""
    from littlefs import LittleFS, LittleFSError

    fs = LittleFS(block_size=BLOCK, block_count=size // BLOCK, disk_version=LITTLEFS)
    try:
        for path, data in sorted(files.items()):
            fs.makedirs(path.rpartition("/")[0] or "/", exist_ok=True)
            with fs.open(path, "wb") as file:
                file.write(data)
    except LittleFSError as e:
        raise deploy.Failed(f"{path} does not fit into {size} bytes: {e}")
    return bytes(fs.context.buffer)


def uf2_blocks(data, address, family):
    """An image as blocks of a UF2 file; what is empty is left out, a sector at a time."""
    blocks = []
    for sector in range(0, len(data), BLOCK):
        if data[sector:sector + BLOCK].strip(b"\xff"):
            for at in range(sector, sector + BLOCK, 256):
                words = (0x0A324655, 0x9E5D5157, 0x2000, address + at, 256, 0, 0, family)
                head = b"".join(word.to_bytes(4, "little") for word in words)
                blocks.append(head + data[at:at + 256] + bytes(220) + (0x0AB16F30).to_bytes(4, "little"))
    return blocks


def join_uf2(family, *parts):
    """One UF2 file of several lists of blocks: those of the family are numbered anew, others stay as they are."""
    blocks = [block for part in parts for block in part]
    ours = [i for i, block in enumerate(blocks) if int.from_bytes(block[28:32], "little") == family]
    for number, i in enumerate(ours):
        numbers = number.to_bytes(4, "little") + len(ours).to_bytes(4, "little")
        blocks[i] = blocks[i][:20] + numbers + blocks[i][28:]
    return b"".join(blocks)


def image(chosen):
    """Write what a board of the series is given."""
    target = TARGETS[chosen.target]
    offset = target.offset if chosen.offset is None else chosen.offset
    size = target.size if chosen.size is None else chosen.size
    reads = mpy.VERSION | mpy.SUB_VERSION << 8 | mpy.ARCHITECTURES[chosen.arch] << 10
    source = chosen.application or env.ROOT / "ports" / target.port
    _, files = deploy.settings(chosen.config)
    files.update(deploy.files_of(chosen.profile, reads))
    files.update(deploy.application(source, reads, chosen.platform or target.port))
    data = make_image(files, size)
    if chosen.out.suffix == ".uf2" and target.family:
        old = firmware(target, chosen.firmware).read_bytes()
        blocks = [old[i:i + 512] for i in range(0, len(old), 512)]
        data = join_uf2(target.family, blocks, uf2_blocks(data, XIP + offset, target.family))
    chosen.out.write_bytes(data)
    return f"{chosen.out}: {len(files)} files, for {chosen.target}, flash from {offset:#x}, {size} bytes"


# -- boards


def flash_esp32(chosen, target):
    """Write the firmware, and an image where there is one, with esptool."""
    if chosen.chip not in CHIPS:
        raise deploy.Failed(f"--chip: one of {', '.join(CHIPS)}")
    parts = [hex(CHIPS[chosen.chip]), str(firmware(target, chosen.firmware))]
    need("esptool", extra=True)
    command = [sys.executable, "-m", "esptool", "--chip", chosen.chip]
    if chosen.device:
        command += ["--port", chosen.device]
    if chosen.erase:
        run_esptool([*command, "erase-flash"])
    if chosen.image:
        parts += [hex(target.offset if chosen.offset is None else chosen.offset), str(chosen.image)]
    run_esptool([*command, "--baud", "460800", "write-flash", *parts])


def run_esptool(command):
    print(" ".join(command[2:]), flush=True)
    if subprocess.run(command).returncode:
        raise deploy.Failed("esptool failed: is the board plugged in and its port free? Some boards have to be "
                            "told: hold BOOT, press and let go RESET, let go BOOT")


def flash_rp2(chosen, target):
    """Copy the firmware to the drive that the board shows; it starts by itself when it has all."""
    source = firmware(target, chosen.firmware)
    if source.read_bytes()[:4] != b"UF2\n":
        raise deploy.Failed(f"{source}: not a UF2 file")
    drive = chosen.volume or find_volume()
    if not (drive / "INFO_UF2.TXT").is_file():
        raise deploy.Failed(f"{drive}: not the drive of a board, it has no INFO_UF2.TXT")
    print(f"copying {source.name} to {drive}", flush=True)
    shutil.copyfile(source, drive / source.name)


def find_volume():
    """The drive of the one board that shows one."""
    found = [p.parent for pattern in VOLUMES for p in Path("/").glob(pattern[1:] + "/INFO_UF2.TXT")]
    if len(found) != 1:
        raise deploy.Failed("no board shows a drive: hold BOOTSEL while you plug it in, or name it with --volume"
                            if not found else f"several drives: name one with --volume: {found}")
    return found[0]


def wait_for_port(chosen):
    """The serial port of a board that is starting."""
    from device import find

    end = time.monotonic() + DRIVE_S
    while True:
        try:
            return find(chosen.device)
        except BoardError:
            if time.monotonic() > end:
                raise
            time.sleep(1)


def parsed(arguments):
    about = __doc__.split("\n")[0]
    parser = argparse.ArgumentParser(description=about, epilog="what follows -- goes to deploy.py")
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--firmware", type=Path, help="default: the newest of its kind in build/firmware")
    common.add_argument("--offset", type=lambda text: int(text, 0), help="of the filesystem in the flash")
    for name, target in TARGETS.items():
        one = commands.add_parser(name, parents=[common])
        one.add_argument("--device", help="its serial port")
        if target.port == "esp32":
            one.add_argument("--chip", default="esp32", help=", ".join(CHIPS))
            one.add_argument("--image", type=Path, help="of the filesystem, too: then deploy is not needed")
            one.add_argument("--erase", action="store_true", help="all of the flash, first")
        else:
            one.add_argument("--volume", type=Path, help="the drive that the board shows")
    one = commands.add_parser("image", parents=[common])
    one.add_argument("target", choices=TARGETS)
    one.add_argument("--config", type=Path, required=True)
    one.add_argument("--out", type=Path, required=True, help=".bin: the filesystem; .uf2: with the firmware")
    one.add_argument("--size", type=lambda text: int(text, 0), help="of the filesystem: it must be the board's")
    one.add_argument("--profile", choices=profiles.NAMES, default="standard")
    one.add_argument("--application", type=Path, help="a folder with main.py; default: of ports/")
    one.add_argument("--arch", choices=mpy.ARCHITECTURES, default=mpy.BYTECODE)
    one.add_argument("--platform", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments):
    at = arguments.index("--") if "--" in arguments else len(arguments)
    chosen, more = parsed(arguments[:at]), arguments[at + 1:]
    try:
        if chosen.command == "image":
            need("littlefs")
            print(image(chosen))
            return 0
        target = TARGETS[chosen.command]
        flash_esp32(chosen, target) if target.port == "esp32" else flash_rp2(chosen, target)
        if getattr(chosen, "image", None):
            return 0
        need("mpremote")
        return deploy.main(["--device", wait_for_port(chosen), *more])
    except (BoardError, mpy.CompileError, deploy.Failed) as e:
        print(f"flash: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
