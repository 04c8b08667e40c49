# Cut the power at one operation after another of a flash, boot, and see what the store kept.
# Rule: `power_cut.py cuts|wear filesystem option=integer ...`; lines of "word number", then "ok".
# littlefs, or FAT, lies on a block device in RAM; the broker is a model in this process.
import gc
import os
import sys

from keeper import Keeper, settle, turn

from umqtt_full import MQTTClient
from umqtt_full.store import FileStore


class Cut(BaseException):
    """The power is gone."""


class Flash:
    """Blocks of `size` bytes. The operation with the number `cut`, and all behind it, fail. With `torn` the
    first half of that one is done; 2: and the rest is erased, as where a block is erased to be written anew.
    """

    def __init__(self, size, count=0, image=None):
        self.size = size
        self.image = bytearray(image) if image else bytearray(b"\xff" * (size * count))
        self.cut = -1
        self.torn = 0
        self.dead = self.gone = False
        self.erases = self.programs = self.programmed = 0

    def _change(self, at, data):
        if self.gone:
            return 0  # what the garbage collector closes
        n = len(data)
        if self.erases + self.programs == self.cut:
            self.dead = True
            if self.torn == 2:
                self.image[at : at + n] = b"\xff" * n
            n = n // 2 if self.torn else 0
        elif self.dead:
            n = 0
        self.image[at : at + n] = memoryview(data)[:n]
        return -5 if self.dead else 0

    def readblocks(self, block, buf, off=0):
        if self.gone:
            return
        at = block * self.size + off
        buf[:] = memoryview(self.image)[at : at + len(buf)]

    def writeblocks(self, block, buf, off=0):
        done = self._change(block * self.size + off, buf)
        self.programs += 1
        self.programmed += len(buf)
        return done

    def ioctl(self, op, arg):
        if op == 4:
            return len(self.image) // self.size
        if op == 5:
            return self.size
        if op == 6:
            done = self._change(arg * self.size, b"\xff" * self.size)
            self.erases += 1
            return done
        return 0


class Noted(FileStore):
    """It says which inbound ids it has noted, and ends all when the power is gone."""

    flash = None

    def delivered(self, packet_id):
        super().delivered(packet_id)
        self.noted.append(packet_id)

    def _fail(self, error):
        if self.flash.dead:
            raise Cut
        super()._fail(error)


class Board:
    """A boot: the flash is mounted, and a client has its log there. Numbers go out, and numbers come in."""

    def __init__(self, flash, kind, keeper):
        self.flash = flash
        os.mount(kind(flash), "/flash")
        self.keeper = keeper
        self.store = Noted("/flash/log", 256)
        self.store.flash = flash
        self.store.noted = []
        self.accepted = []  # publish() has returned
        self.handled = []  # the handler has
        self.client = None

    def boot(self):
        self.client = MQTTClient(
            self.keeper.open, keepalive=0, rx=64, slots=4, slot_size=64, qos2_ids=4, store=self.store
        )
        self.client.on("in", lambda msg: self.handled.append(bytes(msg.payload)), 2)

    def publish(self, number):
        self.client.publish("out", b"%03d" % number, 1 + number % 2)
        self.accepted.append(b"%03d" % number)

    def off(self):
        self.flash.gone = True
        self.store._close()
        os.umount("/flash")


def live(board):
    """Everything that the store has to do with: what is queued offline, acks in parts, messages that come in."""
    board.boot()
    keeper = board.keeper
    board.publish(0)
    board.publish(1)
    settle(board.client, keeper)
    for number in range(2, 12):
        if number == 6:
            keeper.silent = (3,)
        elif number == 8:
            keeper.silent = ()
            board.client.close()  # a link ends with messages under way
            board.client.start()
        while not board.client.room():
            turn(board.client, keeper)
        board.publish(number)
        if number % 3 == 0:
            keeper.send(b"%03d" % number, 2)
        turn(board.client, keeper)
    settle(board.client, keeper)
    board.store.save()


def resume(board):
    """The program begins again: it publishes something new and goes on until nothing moves."""
    board.keeper.silent = ()
    board.boot()
    for number in (100, 101):
        if not board.client.room():
            settle(board.client, board.keeper)
        board.publish(number + 2 * board.again)
    settle(board.client, board.keeper)
    board.store.save()


def first_times(items):
    found = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def check_last(boards):
    """What holds even where the filesystem itself was lost: the client works on."""
    board = boards[-1]
    assert len(board.accepted) == 2 and all(payload in board.keeper.got for payload in board.accepted)
    assert board.client.room() == 4


def check(boards):
    """What holds when the last boot has settled."""
    keeper = boards[-1].keeper
    got = keeper.got
    for board in boards:
        for payload in board.accepted:
            assert payload in got, ("lost", payload)
    for payload in got:
        assert int(payload) % 2 == 0 or got.count(payload) == 1, ("twice", payload)
    assert first_times(got) == sorted(set(got)), ("order", got)
    seen, open_ = [], []
    for board in boards:
        seen += board.handled
        if len(board.handled) > len(board.store.noted):  # the cut came before its id was noted
            open_.append(board.handled[-1])
    for payload in seen:
        assert seen.count(payload) <= 1 + open_.count(payload), ("handled twice", payload, seen)
    assert first_times(seen) == sorted(set(seen)), ("order of what came in", seen)
    assert first_times(seen) == keeper.given, ("never handled", seen)
    assert boards[-1].client.room() == 4 and keeper.done() and not keeper.ids
    assert boards[-1].store.errors == 0, "reported"


def play(kind, base, cuts, torn, arrive, keeps=1):
    """Live until the first cut, resume until each of the others, and resume to the end: the boards."""
    keeper = Keeper()
    keeper.strict = keeps
    boards = []
    flash = base
    for cut in cuts + [-1]:
        flash = Flash(base.size, image=flash.image)
        flash.cut, flash.torn = cut, torn
        board = Board(flash, kind, keeper)
        board.again = len(boards)
        try:
            boards.append(board)
            (resume if board.again else live)(board)
        except Cut:
            if arrive and keeper.linked:  # what was written had left
                keeper.serve()
        finally:
            board.off()
    (check if keeps else check_last)(boards)
    return boards


def formatted(kind, size, count, others=0):
    """A new filesystem, with so many other files in its root."""
    flash = Flash(size, count)
    kind.mkfs(flash)
    os.mount(kind(flash), "/flash")
    for number in range(others):
        open("/flash/%d" % number, "w").close()
    os.umount("/flash")
    return Flash(size, image=flash.image)


def cuts(kind, torn, arrive, again=0, size=512, others=0, keeps=1):
    """Cut at every operation; with `again` also at each `again`th of what follows it."""
    base = formatted(kind, size, 64, others)
    whole = play(kind, base, [], 0, True)[0]
    total = whole.flash.erases + whole.flash.programs
    assert whole.store.rewrites > 2 and not whole.store.errors
    assert len(whole.accepted) == 12 and len(whole.store.noted) == 3
    runs = bad = 0
    for cut in range(total):
        second = range(cut % again, 40, again) if again else (-1,)
        for other in second:
            runs += 1
            try:
                play(kind, base, [cut, other] if again else [cut], torn, arrive, keeps)
            except Exception as e:
                bad += 1
                print("operation", cut, other)
                if bad < 4:
                    sys.print_exception(e)
        gc.collect()
    print("operations", total)
    print("runs", runs)
    print("failed", bad)


def wear(kind, qos, messages=500, size=4096, count=64):
    """What `messages` messages of 32 bytes do to a flash, one after another, with the default bound."""
    flash = formatted(kind, size, count)
    os.mount(kind(flash), "/flash")
    keeper = Keeper()
    store = FileStore("/flash/log")
    client = MQTTClient(keeper.open, keepalive=0, store=store)
    settle(client, keeper)
    flash.erases = flash.programs = flash.programmed = 0
    rewrites = store.rewrites
    for number in range(messages):
        client.publish("sensor/1", b"%032d" % number, qos)
        settle(client, keeper)
    assert len(keeper.got) == messages and not store.errors
    print("erases", flash.erases / messages)
    print("programs", flash.programs / messages)
    print("bytes", flash.programmed / messages)
    print("rewrites", (store.rewrites - rewrites) / messages)
    os.umount("/flash")


def main(what, filesystem, *options):
    pairs = [option.split("=") for option in options]
    kind = {"littlefs": os.VfsLfs2, "fat": os.VfsFat}[filesystem]
    globals()[what](kind, **{key: int(value) for key, value in pairs})
    print("ok")


if __name__ == "__main__":
    main(*sys.argv[1:])
