# What outlives a power cut or deep sleep: an append-only log of records, in a file or in a block of memory.
#
# A record is its kind, its key (a packet id), the length of its data, the data, and a checksum of all of it.
# What holds is what the records say one after another, up to the first that is torn. When the log has grown
# to its bound it is written anew with only what holds, beside the old one, and then put in its place.
#
# Durable before the protocol goes on: a PUBLISH before publish() returns, its PUBREC before PUBREL, an inbound
# QoS 2 id before PUBREC, its end before PUBCOMP. That a message is done is written with the next record: if that
# is lost, the message (QoS 1) or PUBREL (QoS 2) is only sent once more. QoS 0 writes nothing.
import os
from binascii import crc32

from micropython import const

from .inflight import pull
from .wire import put_u16

_PUBLISH = const(80)  # publish() accepted this packet
_RELEASE = const(82)  # its PUBREC came
_DONE = const(68)  # the broker has it, or it was given up
_ID = const(73)  # an inbound QoS 2 message was delivered
_FORGET = const(70)  # its PUBREL came
_META = const(77)  # key: the last packet id; data: server, checksum of the subscriptions, client id

# Of a subscription, as in router.py: those between are wanted, too
_WANTED = const(1)
_SETTLED = const(3)

_HEAD = const(5)
_SUM = const(4)
_MAGIC = b"umq1"
_ENOENT = const(2)
_ENOSPC = const(28)
_PATIENCE = const(16)  # after a failure so many records pass before the log is tried again


class Store:
    """The log; a subclass says where its bytes are. `bound`: bytes from which on it is written anew.

    A failure of the medium is counted in `errors` and told to the client's on_error; it goes on from
    RAM, and later records try to write everything anew. `writes`: records made durable one by one, `rewrites`:
    new logs, `lost`: messages and ids of the log that there is no room for.
    """

    _padded = False  # are there zeros behind the log?

    def __init__(self, bound):
        self._bound = self._limit = bound
        self._most = 1 << 29  # bytes that the medium has
        self._engine = None
        self._good = False  # may the log be added to?
        self._wait = 0
        self._n = 0  # its bytes
        self.server = 0  # index in the list of servers
        self.subscribed = 0  # checksum of what the session is subscribed to
        self.errors = self.writes = self.rewrites = self.lost = 0
        self.error = None  # the last, until the client has told it

    # -- the interface: load, put, drop

    def load(self, engine, own_id):
        """Give an engine what the log holds, and be told of all that comes; with `own_id` the client id too."""
        if engine.outbox.size > 65535:
            raise ValueError("slot_size: up to 65535 with a store")
        self._engine = engine
        try:
            if self._open():
                magic = self._read(len(_MAGIC))
                whole = magic == _MAGIC and self._replay(own_id)
                if len(magic) < len(_MAGIC):
                    whole = None  # the cut came when the first log was begun
                if whole is not False:
                    engine.connect.held = True
                if whole:
                    self._resume()
                    self._good = True
                elif whole is False:
                    self._set_aside()
                    self._fail(ValueError("store: corrupt, or of another version: set aside"))
        except (OSError, MemoryError) as e:
            self._fail(e)
        engine.outbox.store = self
        if not self._good:
            self._rewrite()

    def put(self, kind, key, data=b"", durable=True):
        """Add a record; with `durable` it is, and all before it, on return."""
        if not self._good:
            self._wait -= 1
            if self._wait < 0:
                self._rewrite()  # this one is in it
            return
        if self._n + _HEAD + len(data) + _SUM > self._limit:
            self._rewrite()  # likewise
            return
        try:
            self._record(kind, key, data)
            if durable:
                self._flush()
                self.writes += 1
        except OSError as e:
            self._fail(e)

    def drop(self, key):
        """A message is done; durable with the next record."""
        self.put(_DONE, key, b"", False)

    def save(self):
        """Make durable what is not yet, as before deep sleep."""
        if not self._good:
            self._rewrite()  # else an old log, of what is long done, would be all there is
            return
        try:
            self._flush()
        except OSError as e:
            self._fail(e)

    # -- what the engine and its owner tell

    def published(self, slot):
        """publish() accepted what lies in this slot."""
        self.put(_PUBLISH, self._engine.outbox.ids[slot], self._packet(slot))

    def released(self, packet_id):
        """PUBREC came: PUBREL may go out on return."""
        self.put(_RELEASE, packet_id)

    def delivered(self, packet_id):
        """An inbound QoS 2 message was delivered: PUBREC may go out on return."""
        self.put(_ID, packet_id)

    def forgotten(self, packet_id):
        """PUBREL came: PUBCOMP may go out on return."""
        self.put(_FORGET, packet_id)

    def keep(self, server, subscribed):
        """Remember the server in use and the checksum of the subscriptions, where they changed."""
        if server != self.server or subscribed != self.subscribed:
            self.server = server
            self.subscribed = subscribed
            self.put(_META, self._engine.outbox.last_id, self._meta())

    def checksum(self, router):
        """A number of 30 bits that tells what is wanted from what else could be."""
        total = 0
        for sub in router.subs:
            if _WANTED <= sub.state <= _SETTLED:
                total = (total * 33 + 1 + sub.qos) & 0x3FFFFFFF
                for b in sub.filter:
                    total = (total * 33 + b) & 0x3FFFFFFF
        return total

    def rewrite(self):
        """The broker's session is a new one: it has no subscriptions, and of the ids only what is left."""
        self.subscribed = 0
        self._rewrite()

    # -- the log

    def _rewrite(self):
        """Write the log anew, with only what holds."""
        self._wait = _PATIENCE
        self._good = False
        engine = self._engine
        box = engine.outbox
        try:
            self._begin()
            self._n = len(_MAGIC)
            self._write(_MAGIC)
            self._record(_META, box.last_id, self._meta())
            for packet_id in engine.ids:
                self._record(_ID, packet_id)
            for chain in (box.released, box.sent, box.queued):  # in the order of publish
                for slot in chain:
                    if box.ids[slot] and slot != box.streamed:
                        self._record(_PUBLISH, box.ids[slot], self._packet(slot))
                        if chain is box.released:
                            self._record(_RELEASE, box.ids[slot])
            self._replace()
            self._good = True
            self.rewrites += 1
            self._limit = min(max(self._bound, 2 * self._n), self._most)
        except OSError as e:
            self._fail(e)

    def _replay(self, own_id):
        """Do what the records say: True for all of them, None where the last is torn, False where one lies."""
        self._n = len(_MAGIC)
        while True:
            head = self._read(_HEAD)
            if not head:
                return True
            if not head[0]:
                return True if self._padded else None
            if len(head) < _HEAD:
                return None
            n = head[3] << 8 | head[4]
            data = self._read(n)
            total = self._read(_SUM)
            if len(total) < _SUM:
                return None
            if total != crc32(data, crc32(head)).to_bytes(_SUM, "big"):
                return False
            self._n += _HEAD + n + _SUM
            self._do(head[0], head[1] << 8 | head[2], data, own_id)

    def _do(self, kind, key, data, own_id):
        engine = self._engine
        box = engine.outbox
        if kind == _PUBLISH:
            if key - box.last_id & 0xFFFF < 0x8000:  # a new log begins with the last id
                box.last_id = key
            if not box.free or len(data) > box.size:
                self._lose("a message has no room in the outbox")
                return
            at = box.free[0] * box.size
            box.buf[at : at + len(data)] = data
            box.queue(key, len(data))
            box.written()  # for all we know
        elif kind == _RELEASE:
            box.ack(5, key)
        elif kind == _DONE and key in box.ids:
            slot = box.ids.index(key)
            box.drop(box.sent if slot in box.sent else box.released, slot)
        elif kind == _ID and key not in engine.ids:
            if len(engine.ids) == engine.qos2_ids:
                self._lose("an id has no room in qos2_ids")
            else:
                engine.ids.append(key)
        elif kind == _FORGET and key in engine.ids:
            pull(engine.ids, key)
        elif kind == _META:
            box.last_id = key
            self.server = data[0]
            self.subscribed = int.from_bytes(data[1:5], "big")
            if own_id:
                engine.connect.fields[0] = bytes(data[5:])

    def _packet(self, slot):
        box = self._engine.outbox
        return memoryview(box.buf)[slot * box.size : slot * box.size + box.lengths[slot]]

    def _meta(self):
        return bytes([self.server]) + self.subscribed.to_bytes(4, "big") + self._engine.connect.fields[0]

    def _record(self, kind, key, data=b""):
        head = bytearray(_HEAD)
        head[0] = kind
        put_u16(head, put_u16(head, 1, key), len(data))
        self._n += _HEAD + len(data) + _SUM
        self._write(head)
        self._write(data)
        self._write(crc32(data, crc32(head)).to_bytes(_SUM, "big"))

    def _lose(self, what):
        self.lost += 1
        self._fail(ValueError("store: " + what))

    def _fail(self, error):
        """The medium failed, or what it holds is no good: go on without it, say so, and try again later."""
        self._good = False
        self.errors += 1
        self.error = error


class FileStore(Store):
    """A log in a file, on littlefs or FAT: `path`, and for a while path.new; path.bad is one set aside.

    `bound`: bytes from which on it is written anew, if that is more than twice what is under way.
    """

    def __init__(self, path, bound=1024):
        super().__init__(bound)
        self._path = path
        self._file = None

    def _open(self):
        """Open the log for reading; False where there is none."""
        try:
            self._file = open(self._path, "rb")
        except OSError as e:
            if e.errno != _ENOENT:
                raise
            try:  # the cut came between the removal of the old log and the renaming of the new one
                _rename(self._path + ".new", self._path)
                self._file = open(self._path, "rb")
            except OSError:
                return False
        return True

    def _read(self, n):
        return self._file.read(n)

    def _resume(self):
        """Go on behind what was read."""
        self._close()
        self._file = open(self._path, "ab")

    def _set_aside(self):
        self._close()
        _rename(self._path, self._path + ".bad")

    def _begin(self):
        self._close()
        self._file = open(self._path + ".new", "wb")

    def _write(self, data):
        self._file.write(data)

    def _flush(self):
        self._file.flush()
        if hasattr(os, "fsync"):
            os.fsync(self._file.fileno())

    def _replace(self):
        self._flush()
        self._close()
        _rename(self._path + ".new", self._path)
        self._file = open(self._path, "ab")

    def _close(self):
        if self._file:
            file = self._file
            self._file = None
            try:
                file.close()
            except OSError:
                pass  # it was flushed, or is not good anyhow


class MemoryStore(Store):
    """A log in `size` bytes of memory that outlives deep sleep, as an ESP32's RTC memory does.

    `read()` gives what `write(data)` was last given: MemoryStore(2048, rtc.memory, rtc.memory).
    """

    _padded = True

    def __init__(self, size, read, write):
        super().__init__(size)
        self._most = size
        self._log = bytearray(size)
        self._source = read
        self._sink = write
        self._at = 0

    def _open(self):
        data = self._source()
        n = min(len(data), len(self._log))
        self._log[:n] = data[:n]
        self._at = 0
        return self._log[0] != 0

    def _read(self, n):
        self._at += n
        return bytes(self._log[self._at - n : self._at])

    def _resume(self):
        self._at = self._n

    def _set_aside(self):
        pass  # there is no room to keep it

    def _begin(self):
        for i in range(len(self._log)):
            self._log[i] = 0
        self._at = 0

    def _write(self, data):
        end = self._at + len(data)
        if end > len(self._log):
            raise OSError(_ENOSPC, "store: full")
        self._log[self._at : end] = data
        self._at = end

    def _flush(self):
        self._sink(self._log)

    def _replace(self):
        self._flush()


def _rename(old, new):
    getattr(os, "replace", os.rename)(old, new)
