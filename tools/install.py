"""What lies on a board, and how it becomes something else: the part of deploy that touches the board's files.

Rule: new files are written beside the old ones; when all are there main.py is taken away, the others change
places, and main.py comes last. So what runs was installed as a whole, wherever it is interrupted; and until
keep() all of it can be undone.
"""
import hashlib
import json
from pathlib import PurePosixPath

from device import BoardError

LIBRARY = "/lib/umqtt_full"
FOLDERS = ("/lib", LIBRARY)
SHADOW = "/umqtt_full"  # a copy there would be found before the one in /lib
NEW, OLD = ".~new", ".~old"
SPARE = 2  # blocks that littlefs may take for its own book-keeping, for each folder

SURVEY = """
import os, json
from binascii import hexlify
from hashlib import sha256
def digest(path):
    h = sha256()
    b = memoryview(bytearray(512))
    with open(path, "rb") as f:
        while True:
            n = f.readinto(b)
            if not n:
                return str(hexlify(h.digest()), "ascii")
            h.update(b[:n])
found = {}
for folder in ("", "/lib", "%s"):
    try:
        entries = list(os.ilistdir(folder or "/"))
    except OSError:
        continue
    for entry in entries:
        path = folder + "/" + entry[0]
        found[path] = digest(path) if path in %r else ""
s = os.statvfs("/")
print(json.dumps([found, s[1], s[1] * s[4]]))
"""

_COMMON = f"""
import os
def there(path):
    try:
        return os.stat(path)
    except OSError:
        return None
def move(path, a, b):
    if there(path + a):
        os.rename(path + a, path + b)
def remove(path):
    s = there(path)
    if s and s[0] & 0x4000:
        for name in os.listdir(path):
            remove(path + "/" + name)
        os.rmdir(path)
    elif s:
        os.remove(path)
changed, gone = %r
new, old, main = "{NEW}", "{OLD}", "/main.py"
rest = [path for path in changed + gone if path != main]
"""

_SWAP = _COMMON + """
move(main, "", old)
for path in rest:
    move(path, "", old)
for path in changed:
    if path != main:
        os.rename(path + new, path)
if main in changed:
    os.rename(main + new, main)
elif main not in gone:
    move(main, old, "")
"""

_UNDO = _COMMON + """
if main not in changed:
    move(main, "", old)
elif not there(main + new):
    remove(main)
for path in rest:
    if there(path + old):
        remove(path)
        os.rename(path + old, path)
    elif path in changed and not there(path + new):
        remove(path)
    remove(path + new)
remove(main + new)
move(main, old, "")
"""

_REMOVE = _COMMON + """
for path in gone:
    remove(path)
"""


class Plan:
    """What has to change on a board so that it has the files of `wanted` ({path: bytes}).

    `changed`: paths to write. `gone`: paths that would be in the way. `left`: what an interrupted run has left.
    """

    def __init__(self, board, wanted):
        self._board, self.wanted = board, wanted
        found, self.block, self.free = json.loads(board.exec(SURVEY % (LIBRARY, sorted(wanted)), timeout=60))
        self.left = sorted(path for path in found if path.endswith((NEW, OLD)))
        found = {path: digest for path, digest in found.items() if path not in self.left}
        self.changed = [p for p in sorted(wanted) if found.get(p) != hashlib.sha256(wanted[p]).hexdigest()]
        self.gone = sorted(path for path in found if path not in wanted and self._in_the_way(path))
        self.new = [path for path in self.changed if path not in found]
        self._folders = [folder for folder in FOLDERS if folder not in found]

    def _in_the_way(self, path):
        """Is it ours and stale, or would it be found before what we install?"""
        twins = {".py": ".mpy", ".mpy": ".py"}
        name = PurePosixPath(path)
        twin = str(name.with_suffix(twins[name.suffix])) if name.suffix in twins else None
        return twin in self.wanted or path == SHADOW or str(name.parent) == LIBRARY

    @property
    def replaced(self):
        """What was there before, and is kept until keep()."""
        return sorted({*self.changed} - {*self.new}) + self.gone

    @property
    def bytes(self):
        return sum(len(self.wanted[path]) for path in self.changed)

    def check_room(self):
        """Raise BoardError where the new files do not fit beside the old ones."""
        blocks = sum(-(-len(self.wanted[path]) // self.block) for path in self.changed)
        blocks += SPARE * (1 + len(self._folders)) if self.changed else 0
        if blocks * self.block > self.free:
            raise BoardError(f"no room: {blocks * self.block // 1024} KiB are needed and {self.free // 1024} KiB "
                             "are free; remove what else is on the board, or take a smaller --profile")

    def install(self, progress=None):
        """Write what is new and put it in place. Raises BoardError: then all is as it was, as far as the board
        is still there.
        """
        self._do(_REMOVE, [], self.left)
        if not (self.changed or self.gone):
            return
        try:
            for folder in self._folders:
                self._board.exec(f"import os\nos.mkdir({folder!r})")
            for path in self.changed:
                self._board.write(path + NEW, self.wanted[path], progress)
        except BoardError:
            self._try(_REMOVE, [], [path + NEW for path in self.changed])
            raise
        try:
            self._do(_SWAP, self.changed, self.gone)
        except BoardError:
            self._try(_UNDO, self.changed, self.gone)
            raise

    def keep(self):
        """All is well: remove what was there before."""
        self._do(_REMOVE, [], [path + OLD for path in self.replaced])

    def undo(self):
        """Put back what was there before."""
        self._do(_UNDO, self.changed, self.gone)

    def _do(self, program, changed, gone):
        self._board.exec(program % ((changed, gone),), timeout=60)

    def _try(self, *words):
        """As well as it goes on a board that has failed: what is left is removed by the next run."""
        try:
            self._do(*words)
        except BoardError:
            pass
