# What a virtual board does at power-on: its flash becomes "/", boot.py runs, and main.py where a board runs it.
# Rule: an application sees nothing but what a board has; the few parts of `machine` that the unix port lacks are
# here, and what must outlive a reset (the RTC's memory, the cause of the reset) lies outside the flash.
import os
import sys
import time

import vfs

BLOCK = 4096  # bytes of flash that are erased at once
RESET, SLEPT = 99, 98  # exit codes: machine.reset(), and the wake after machine.deepsleep()


class Flash:
    """A block device in a file: what littlefs has on a board."""

    def __init__(self, path):
        self.file = open(path, "r+b")
        self.count = os.stat(path)[6] // BLOCK

    def readblocks(self, block, buf, off=0):
        self.file.seek(block * BLOCK + off)
        self.file.readinto(buf)

    def writeblocks(self, block, buf, off=0):
        self.file.seek(block * BLOCK + off)
        self.file.write(buf)

    def ioctl(self, what, argument):
        if what == 3:
            self.file.flush()
        return {4: self.count, 5: BLOCK}.get(what, 0)


class Folder:
    """A folder of the PC as a filesystem. The unix port's own takes both names of a rename for the second."""

    def __init__(self, path):
        self.path = path
        self.inner = vfs.VfsPosix(path)

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def rename(self, old, new):
        vfs.VfsPosix().rename(*[self.path + name if name[0] == "/" else name for name in (old, new)])


class RTC:
    """machine.RTC, as far as it keeps bytes: in RAM that only power-off clears."""

    def memory(self, data=None):
        if data is None:
            try:
                with state.open("/rtc", "rb") as file:
                    return file.read()
            except OSError:
                return b""
        with state.open("/rtc", "wb") as file:
            file.write(data)


class Machine:
    """The unix port's own `machine`, and what a board has beside."""

    PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = range(1, 6)
    RTC = RTC

    def __init__(self, inner, cause, identity):
        for name in dir(inner):
            if name[0] != "_":
                setattr(self, name, getattr(inner, name))
        self.reset_cause = lambda: cause
        self.unique_id = lambda: identity
        self.reset = lambda: sys.exit(RESET)
        self.soft_reset = lambda: sys.exit(0)

    def deepsleep(self, ms=0):
        time.sleep_ms(ms)
        sys.exit(SLEPT)


def mount(path):
    """Make a folder, or a littlefs image, the root of all files."""
    is_folder = os.stat(path)[0] & 0x4000
    files = Folder(path) if is_folder else vfs.VfsLfs2(Flash(path), progsize=256)
    vfs.umount("/")
    vfs.mount(files, "/")
    os.chdir("/")
    sys.path[:] = ["", ".frozen", "/lib"]


def run(name):
    try:
        with open(name) as file:
            code = file.read()
    except OSError:
        return
    try:
        exec(compile(code, name, "exec"), {"__name__": "__main__"})
    except SystemExit:
        os.unsetenv("MICROPYINSPECT")  # no prompt: the process ends, and the board starts anew
        raise


def start():
    import machine

    sys.stdout.write(os.getenv("VIRTUAL_MARK"))
    cause = int(os.getenv("VIRTUAL_CAUSE"))
    sys.modules["machine"] = Machine(machine, cause, os.getenv("VIRTUAL_ID").encode())
    mount(os.getenv("VIRTUAL_FLASH"))
    run("boot.py")
    if os.getenv("VIRTUAL_MAIN") == "1":
        run("main.py")


if os.getenv("VIRTUAL_FLASH"):
    state = vfs.VfsPosix(os.getenv("VIRTUAL_STATE"))
    start()
