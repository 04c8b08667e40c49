# What the store does with its medium: how often it writes, and how large its log grows.
# Rule: operations are counted by the files in RAM; durable writes by the store too, and both must agree.
from keeper import Keeper, boot, settle, turn
from ram import Disk

from umqtt_full.store import FileStore


def test_that_a_message_is_done_costs_nothing_and_is_durable_with_the_next():
    with Disk() as disk:
        keeper = Keeper()
        client = boot(keeper)
        settle(client, keeper)
        client.publish("t", b"a", 1)
        client.publish("t", b"b", 2)
        settle(client, keeper)
        flushes = disk.done.count("flush")
        assert boot(keeper).room() == 3  # PUBREL of b, whose record took the end of a along
        assert flushes == disk.done.count("flush")
        client.publish("t", b"c", 1)
        assert boot(keeper).room() == 3
        client.publish("t", b"d", 1)
        client.disconnect(0)  # without a chance
        assert boot(keeper).room() == 2


def test_save_makes_the_end_of_the_last_message_durable():
    with Disk():
        keeper = Keeper()
        client = boot(keeper)
        settle(client, keeper)
        client.publish("t", b"a", 1)
        settle(client, keeper)
        assert boot(keeper).room() == 3
        client._store.save()
        assert boot(keeper).room() == 4


def test_the_log_is_written_anew_at_its_bound_and_nothing_is_lost():
    with Disk() as disk:
        keeper = Keeper()
        keeper.silent = (5, 6)
        client = boot(keeper)
        client.publish("t", b"waits", 2)
        settle(client, keeper)
        keeper.send(b"in", 2)
        settle(client, keeper)
        store = client._store
        sizes = []
        for number in range(60):
            client.publish("t", b"%020d" % number, 1)
            sizes.append(len(disk.files["log"]))
            settle(client, keeper)
        assert max(sizes) <= 300 and min(sizes[20:]) < 150 and 4 < store.rewrites < 20
        assert list(disk.files) == ["log"] and store.errors == 0
        client = boot(keeper)
        assert client.room() == 2 and len(client._engine.ids) == 1


def test_a_log_that_is_full_of_what_holds_may_outgrow_its_bound():
    with Disk() as disk:
        client = boot(Keeper(), FileStore("log", 64))
        for number in range(4):
            client.publish("t", b"%050d" % number, 1)
        assert 240 < len(disk.files["log"]) < 400 and client._store.rewrites < 5
        assert boot(Keeper()).room() == 0


def test_qos_0_does_nothing_with_the_medium():
    with Disk() as disk:
        keeper = Keeper()
        client = boot(keeper)
        settle(client, keeper)
        before = len(disk.done)
        for _ in range(20):
            client.publish("t", b"x")
            turn(client, keeper)
        keeper.send(b"y", 0)
        settle(client, keeper)
        assert len(keeper.got) == 20 and client.heard == [b"y"] and len(disk.done) == before


def test_qos_1_is_one_durable_write_and_qos_2_two_each_way():
    with Disk() as disk:
        keeper = Keeper()
        client = boot(keeper, FileStore("log", 4096))
        settle(client, keeper)

        def cost(act, argument, qos):
            before = client._store.writes, disk.done.count("flush")
            act(argument, qos) if act == keeper.send else act("t", argument, qos)
            settle(client, keeper)
            return client._store.writes - before[0], disk.done.count("flush") - before[1]

        for _ in range(3):
            assert cost(client.publish, b"a", 1) == (1, 1) and cost(client.publish, b"b", 2) == (2, 2)
            assert cost(keeper.send, b"c", 1) == (0, 0) and cost(keeper.send, b"d", 2) == (2, 2)
        assert len(keeper.got) == 6 and len(client.heard) == 6
