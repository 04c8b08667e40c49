# Updates over the air: an image of any size, checked before it counts.
#
# Rule: publish the image, QoS 1 and not retained, to `topic`/<its SHA-256 in hex>. It is written beside what
# runs, piece by piece, and takes its place only when all of it has come and has that hash. A cut begins it anew;
# a wrong hash, or one that is too large, leaves everything as it was. The verdict is published on `topic`.
import hashlib
import os
from binascii import hexlify

from micropython import const

from umqtt_full.stream import Streams

_BLOCK = const(4096)  # a sector of the flash
_APPLIED = "ota.txt"  # the hash of the last image, so that it is not taken twice


class File:
    """An image that is a file: `path`, and for a while path.new."""

    def __init__(self, path):
        self._path = path
        self._file = None

    def begin(self, length):
        """Make room; False where it is too large."""
        self.drop()
        try:
            os.remove(self._path + ".new")
        except OSError:
            pass  # there is none left over from a cut
        folder = self._path.rpartition("/")[0] or "."
        disk = os.statvfs(folder)
        if length + 2 * _BLOCK > disk[0] * disk[3]:
            return False
        self._file = open(self._path + ".new", "wb")
        return True

    def write(self, data):
        self._file.write(data)

    def finish(self):
        """Have it take the place of the old one."""
        self.drop()
        getattr(os, "replace", os.rename)(self._path + ".new", self._path)

    def drop(self):
        if self._file:
            self._file.close()
            self._file = None


class Firmware:
    """An image that is MicroPython itself, for the next partition of an ESP32 with two of them."""

    def __init__(self, partition):
        self._partition = partition.get_next_update()
        self._block = bytearray(_BLOCK)
        self._view = memoryview(self._block)
        self._n = self._at = 0

    def begin(self, length):
        """False where it is too large."""
        self._n = self._at = 0
        return length <= self._partition.info()[3]

    def write(self, data):
        while data:
            n = min(len(data), _BLOCK - self._n)
            self._view[self._n : self._n + n] = data[:n]
            self._n += n
            data = data[n:]
            if self._n == _BLOCK:
                self._put()

    def _put(self):
        self._partition.writeblocks(self._at, self._block)  # which erases it first
        self._at += 1
        self._n = 0

    def finish(self):
        """Start it next; raises OSError if the boot loader finds that it is no image."""
        if self._n:
            self._put()
        self._partition.set_boot()

    def drop(self):
        pass


class Ota:
    """Takes images for `target`: "firmware", or the name of a file. `busy` while one comes in."""

    def __init__(self, mqtt, topic, target, board):
        self.busy = False
        self._mqtt = mqtt
        self._topic = topic
        self._board = board
        self._target = Firmware(board.running()) if target == "firmware" else File(target)
        self._buf = bytearray(512)
        self._view = memoryview(self._buf)
        self._hash = None
        self._want = None
        self._verdict = None
        Streams(mqtt).on(topic + "/+", self._take, 1)

    def works(self):
        """We have a link with what runs now: an image on trial is kept. Call it at each connect."""
        self._board.keep_firmware()

    def turn(self):
        """Tell the verdict when there is room, and start anew with a new image once the broker has our word."""
        if self._verdict and self._mqtt.room():
            self._board.say("ota", self._verdict)
            self._mqtt.publish(self._topic, self._verdict, 1)
            done, self._verdict = self._verdict, None
            if done.startswith("applied"):
                self._mqtt.disconnect(5000)
                self._board.restart()

    def _take(self, stream):
        """A piece of an image came; the first of all at `offset` 0, again after a cut."""
        if not stream.offset:
            why = self._begin(stream)
            if why:
                self._end(why)
                stream.skip()
                return
        n = stream.readinto(self._buf)
        while n:
            self._hash.update(self._view[:n])
            try:
                self._target.write(self._view[:n])
            except OSError as e:
                self._end("refused: %s" % e)
                stream.skip()
                return
            n = stream.readinto(self._buf)
        if not stream.remaining:
            self._check()

    def _begin(self, stream):
        """Why not, or None."""
        self._target.drop()
        self._want = stream.topic.rpartition("/")[2].lower()
        if self._want == applied():
            return "refused: it is what runs"
        if len(self._want) != 64:
            return "refused: the topic must end with the SHA-256"
        if not self._target.begin(stream.length):
            return "refused: %d bytes are too large" % stream.length
        self.busy = True
        self._hash = hashlib.sha256()
        return None

    def _check(self):
        """All of it has come."""
        if hexlify(self._hash.digest()).decode() != self._want:
            self._end("refused: wrong hash")
            return
        try:
            self._target.finish()
            with open(_APPLIED, "w") as file:
                file.write(self._want)
        except OSError as e:
            self._end("refused: %s" % e)
        else:
            self._end("applied " + self._want)

    def _end(self, verdict):
        self.busy = False
        self._verdict = verdict
        self._target.drop()


def applied():
    """The hash of the last image, or None."""
    try:
        with open(_APPLIED) as file:
            return file.read()
    except OSError:
        return None
