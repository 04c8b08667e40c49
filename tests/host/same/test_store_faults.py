# What a damaged log and a bad medium do to the store: they never stop the client, and are counted.
# Rule: damage is at every byte, a failure at every operation; what came before the damage holds.
from fake import Recorder
from keeper import Keeper, settle
from ram import EIO, ENOSPC, EROFS, Block, Disk

from umqtt_full import MQTTClient
from umqtt_full.store import FileStore, MemoryStore

CPYTHON_ONLY = ("test_a_file_of_the_system_holds_the_log",)
SIZES = {"slots": 4, "slot_size": 64, "qos2_ids": 4, "rx": 64, "keepalive": 0}


def sample():
    """A log with a record of each kind: (its bytes, where each record ends)."""
    with Disk() as disk:
        engine = Recorder().engine
        FileStore("log").load(engine, True)
        for qos in (1, 2, 2, 1):
            engine.publish(b"t", b"%d" % qos, qos, False)
        engine.open(None, 0)
        box = engine.outbox
        box.resend(False)
        while box.queued:
            box.written()
        box.ack(4, 1)
        box.ack(5, 3)
        engine.ids.append(7)
        engine.outbox.store.delivered(7)
        engine.ids.append(9)
        engine.outbox.store.delivered(9)
        engine.ids.popleft()
        engine.outbox.store.forgotten(7)
        engine.outbox.store.keep(1, 99)
        log = disk.files["log"]
    ends = [4]
    while ends[-1] < len(log):
        ends.append(ends[-1] + 9 + (log[ends[-1] + 3] << 8 | log[ends[-1] + 4]))
    assert len(ends) == 12 and ends[-1] == len(log)
    return log, ends


def state(store):
    """All that a load gives back, and what was counted."""
    engine = Recorder().engine
    store.load(engine, True)
    box = engine.outbox
    found = []
    for number, chain in enumerate((box.sent, box.released)):
        for slot in chain:
            at = slot * box.size
            found.append((number, box.ids[slot], bytes(box.buf[at : at + box.lengths[slot]])))
    return found, sorted(engine.ids), box.last_id, store.server, store.subscribed, engine.connect.fields[0]


def loaded(log, name="log"):
    """(state, errors, the files) after a log was loaded; the next load gives the same, and what was added."""
    with Disk({name: log}) as disk:
        store = FileStore("log")
        found = state(store)
        assert store._good
        files = dict(disk.files)
        store.keep(store.server, found[4] + 1)
        assert state(FileStore("log")) == found[:4] + (found[4] + 1, found[5])
        return found, store.errors, files


def test_a_log_with_all_kinds_of_records_gives_back_all():
    log, _ = sample()
    found, errors, files = loaded(log)
    assert found[0] == [(0, 2, b"\x34\x06\x00\x01t\x00\x022"), (0, 4, b"\x32\x06\x00\x01t\x00\x041"),
                        (1, 3, b"\x34\x06\x00\x01t\x00\x032")]
    assert found[1:] == ([9], 4, 1, 99, b"me") and errors == 0 and files == {"log": log}


def test_a_log_that_ends_anywhere_gives_back_what_is_whole():
    log, ends = sample()
    whole = [loaded(log[:end])[0] for end in ends]
    for n in range(len(log)):
        found, errors, files = loaded(log[:n])
        assert found == whole[max(0, sum(end <= n for end in ends) - 1)], n
        assert errors == 0 and list(files) == ["log"], n


def test_a_flipped_bit_anywhere_leaves_what_came_before_it():
    log, ends = sample()
    whole = [loaded(log[:end])[0] for end in ends]
    reported = 0
    for at in range(len(log)):
        for bit in (at % 8, (at + 3) % 8):
            bad = log[:at] + bytes([log[at] ^ 1 << bit]) + log[at + 1 :]
            found, errors, files = loaded(bad)
            assert found == whole[max(0, sum(end <= at for end in ends) - 1)], at
            assert errors == ("log.bad" in files) and files.get("log.bad", bad) == bad, at
            reported += errors
    # All are reported but a length that reaches over the end: it looks like a cut.
    assert reported >= 2 * (len(log) - 2 * len(ends))


def test_a_flipped_bit_in_memory_leaves_what_came_before_it():
    log, ends = sample()
    block = Block()
    whole = []
    for end in ends:
        block.data = log[:end]
        whole.append(state(MemoryStore(512, block.read, block.write)))
    for at in range(len(log)):
        block.data = log[:at] + bytes([log[at] ^ 1 << at % 8]) + log[at + 1 :]
        store = MemoryStore(512, block.read, block.write)
        found = state(store)
        assert found == whole[max(0, sum(end <= at for end in ends) - 1)] and store.errors <= 1, at
        assert state(MemoryStore(512, block.read, block.write)) == found, at


def test_a_log_of_another_version_is_set_aside_as_it_is_and_none_of_it_is_believed():
    log, _ = sample()
    for bad in (b"umq2" + log[4:], b"anything else", b"\x00" * 100, b"\xff" * 4096):
        found, errors, files = loaded(bad)
        assert found[0] == [] and errors == 1 and files["log.bad"] == bad


def test_zeros_behind_the_records_are_no_place_to_go_on():
    log, ends = sample()
    found, errors, files = loaded(log + bytes(40))
    assert found == loaded(log)[0] and errors == 0 and len(files["log"]) < len(log)


def test_a_new_log_that_was_not_put_in_its_place_is_used_only_where_there_is_no_other():
    log, ends = sample()
    whole = loaded(log)[0]
    with Disk({"log": log, "log.new": log[: ends[2]]}) as disk:
        assert state(FileStore("log")) == whole and disk.files["log"] == log
    found, errors, files = loaded(log, "log.new")
    assert found == whole and errors == 0 and files == {"log": log}
    for n in (0, 3, 4, 30):  # the first log was begun and not finished
        found, errors, files = loaded(log[:n], "log.new")
        assert found[0] == [] and errors == 0 and list(files) == ["log"]


def test_a_log_that_can_not_be_opened_is_not_taken_for_none():
    log, ends = sample()
    with Disk({"log": log, "log.new": b"umq1"}) as disk:
        disk.fails = range(1000)
        store = FileStore("log")
        state(store)
        assert store.errors == 2 and disk.files == {"log": log, "log.new": b"umq1"}


def client_on(store, keeper):
    client = MQTTClient(keeper.open, client_id="me", store=store, **SIZES)
    client.told = []
    client.on_error = client.told.append
    client.on("in", lambda msg: None, 2)
    return client


def work(client, keeper, first, count):
    """Publish and receive; raises when the store's failure comes through."""
    for number in range(first, first + count):
        client.publish("t", b"%02d" % number, 1 + number % 2)
        if number % 3 == 0:
            keeper.send(b"in", 2)
        settle(client, keeper)


def with_failures(fails, errno):
    """Work on a medium whose operations `fails` fail, then on a good one: how many operations there were."""
    with Disk() as disk:
        disk.fails, disk.errno = fails, errno
        keeper = Keeper()
        client = client_on(FileStore("log", 200), keeper)
        silent = max(client._store.errors - 1, 0)  # of those before there was anybody to tell, the last is told
        settle(client, keeper)
        work(client, keeper, 10, 8)
        store = client._store
        assert len(client.told) == store.errors - silent == client.counters["store_errors"] - silent
        assert all(e.args[0] == errno for e in client.told)
        hit = {disk.done[i] for i in range(fails.start, min(fails.stop, len(disk.done))) if i != 1}
        assert (store.errors > 0) == bool(hit - {"close"}), hit  # 1: there is no log.new to be renamed
        count, errors = len(disk.done), store.errors
        disk.fails = range(0)
        work(client, keeper, 20, 17)  # at least as many records
        assert store._good and store.errors == errors
        keeper.silent = (3,)
        client.publish("t", b"40", 2)
        settle(client, keeper)
        keeper.silent = ()
        client = client_on(FileStore("log", 200), keeper)
        settle(client, keeper)
        assert keeper.got == [b"%02d" % n for n in list(range(10, 18)) + list(range(20, 37)) + [40]]
        assert client._store.errors == 0 and client.room() == 4 and keeper.done()
        return count


def test_one_failure_at_any_operation_is_told_and_stops_nothing():
    n = 0
    while n < with_failures(range(n, n + 1), (EIO, ENOSPC, EROFS)[n % 3]):
        n += 1
    assert n > 100


def test_a_medium_that_fails_from_any_operation_on_is_told_and_used_again_when_it_is_good():
    n = 0
    while n < with_failures(range(n, 100000), (EIO, ENOSPC, EROFS)[n % 3]):
        n += 1
    assert n > 100


def test_after_a_failure_the_log_is_tried_again_within_sixteen_records():
    with Disk() as disk:
        keeper = Keeper()
        client = client_on(FileStore("log"), keeper)
        settle(client, keeper)
        client._store.rewrite()
        disk.fails = range(100000)
        client.publish("t", b"x", 1)
        tried = []
        for _ in range(3):
            before = len(disk.done)
            for record in range(40):
                if len(disk.done) > before:
                    break
                client._store.keep(0, record + 1)
            tried.append(record)
        assert tried == [17, 17, 17] and client._store.errors == 4


def test_the_end_of_a_disconnect_tries_again_at_once():
    for broken in (True, False):
        block, keeper = Block(), Keeper()
        client = client_on(MemoryStore(512, block.read, block.write), keeper)
        settle(client, keeper)
        client.publish("t", b"1", 2)
        block.broken = True
        settle(client, keeper)
        block.broken = broken
        client.disconnect(0)
        # What stays broken holds what was: here a message that was done long ago.
        assert client_on(MemoryStore(512, block.read, block.write), keeper).room() == (3 if broken else 4)


def test_memory_that_can_not_be_written_is_told_and_stops_nothing():
    block, keeper = Block(), Keeper()
    block.broken = True
    client = client_on(MemoryStore(512, block.read, block.write), keeper)
    settle(client, keeper)
    work(client, keeper, 10, 30)
    assert len(keeper.got) == 30 and client._store.errors == len(client.told) > 2


def test_a_file_of_the_system_holds_the_log():
    import os
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log")
        for number in range(3):
            keeper = Keeper()
            client = client_on(FileStore(path, 200), keeper)
            assert client.room() == 4 - number % 2 and client._store.errors == 0
            client.publish("t", b"x", 1)
            if number == 1:
                settle(client, keeper)
                client.disconnect(0)
            client._store._close()
        assert os.listdir(folder) == ["log"]
