# What the store gives back after a boot, and what it costs.
# Rule: the power is cut by leaving a client where it is; the next one has the same files, or the same memory.
from fake import error
from keeper import Keeper, boot, settle
from ram import Block, Disk

from umqtt_full import MQTTClient
from umqtt_full.store import FileStore, MemoryStore


def three(client):
    for payload, qos in ((b"a", 1), (b"b", 2), (b"c", 1)):
        client.publish("t", payload, qos)


def test_what_was_queued_goes_out_after_a_boot_in_order_and_once():
    with Disk():
        keeper = Keeper()
        three(boot(keeper))
        client = boot(keeper)
        assert client.room() == 1
        settle(client, keeper)
        assert keeper.got == [b"a", b"b", b"c"] and keeper.dups == [] and client.room() == 4


def test_what_may_have_been_sent_comes_again_with_dup_before_what_is_new():
    with Disk():
        keeper = Keeper()
        keeper.silent = (3,)
        client = boot(keeper)
        settle(client, keeper)
        three(client)
        settle(client, keeper)
        keeper.silent = ()
        client = boot(keeper)
        client.publish("t", b"d", 2)
        settle(client, keeper)
        assert keeper.got == [b"a", b"b", b"c", b"a", b"c", b"d"] and keeper.dups == [b"a", b"b", b"c"]
        assert client.room() == 4 and not keeper.ids


def test_what_was_released_is_released_again_and_not_published():
    with Disk():
        keeper = Keeper()
        keeper.silent = (6,)
        client = boot(keeper)
        for payload in (b"a", b"b"):
            client.publish("t", payload, 2)
        settle(client, keeper)
        keeper.silent = ()
        del keeper.wire[:]
        client = boot(keeper)
        assert client.room() == 2
        settle(client, keeper)
        assert keeper.wire == [0x10, 0x62, 0x62] and client.room() == 4 and keeper.got == [b"a", b"b"]


def test_an_inbound_message_of_qos_2_is_not_delivered_again_after_a_boot():
    for silent in ((5,), (7,)):
        with Disk():
            keeper = Keeper()
            keeper.silent = silent
            client = boot(keeper)
            settle(client, keeper)
            keeper.send(b"x", 2)
            settle(client, keeper)
            assert client.heard == [b"x"] and not keeper.done()
            keeper.silent = ()
            client = boot(keeper)
            settle(client, keeper)
            assert client.heard == [] and keeper.done()
            client = boot(keeper)
            assert len(client._engine.ids) == 0


def test_the_client_id_is_kept_when_it_was_made_by_itself():
    with Disk():
        first = boot(Keeper())._engine.connect.fields[0]
        assert boot(Keeper())._engine.connect.fields[0] == first
        assert boot(Keeper(), client_id="mine")._engine.connect.fields[0] == b"mine"
        keeper = Keeper()
        settle(boot(keeper, client_id="mine"), keeper)
        keeper.lose_session()
        settle(boot(keeper), keeper)  # its own would be longer
        assert keeper.client_id == b"mine"


def test_the_server_in_use_is_kept():
    def dead():
        raise OSError(111)

    with Disk():
        keeper = Keeper()
        for tries in (2, 1):
            client = MQTTClient([dead, keeper.open], store=FileStore("log"), keepalive=0)
            client.retry_min_ms = 0
            client.start()
            for _ in range(tries):
                client.poll()
            assert client.server == 1
            settle(client, keeper)
        assert MQTTClient(keeper.open, store=FileStore("log")).server == 0  # there are fewer now


def test_the_last_packet_id_is_kept_also_when_an_older_one_waits_in_a_new_log():
    with Disk():
        keeper = Keeper()
        client = boot(keeper)
        client._engine.outbox.last_id = 65530
        keeper.silent = (6,)
        client.publish("t", b"waits", 2)
        settle(client, keeper)
        for _ in range(20):
            last = client.publish("t", b"b", 1)
            settle(client, keeper)
        client._store.rewrite()
        assert last == 17  # 65535 is followed by 1, and SUBSCRIBE took one
        assert boot(keeper).publish("t", b"c", 1) == 18
        assert boot(keeper).publish("t", b"d", 1) == 19


def test_with_the_session_alive_the_wire_carries_only_the_message():
    with Disk():
        keeper = Keeper()
        settle(boot(keeper), keeper)
        assert keeper.wire == [0x10, 0x82]
        client = boot(keeper)
        client.publish("t", b"a", 1)
        client.trace(lambda sent, head, n: sent or keeper.wire.append(head))
        del keeper.wire[:]
        settle(client, keeper)
        client.disconnect(0)
        assert keeper.wire == [0x10, 0x20, 0x32, 0x40]


def test_another_filter_than_before_is_subscribed_though_the_session_is_alive():
    with Disk():
        keeper = Keeper()
        settle(boot(keeper), keeper)
        client = boot(keeper)
        client.on("in/2", print, 1)
        settle(client, keeper)
        assert keeper.wire == [0x10, 0x82, 0x10, 0x82]


def test_a_session_lost_just_before_the_cut_is_subscribed_anew():
    with Disk():
        keeper = Keeper()
        settle(boot(keeper), keeper)
        keeper.lose_session()
        client = boot(keeper)
        client.start()
        client.poll()
        assert keeper.serve() == 1
        client.poll()  # CONNACK; SUBSCRIBE does not arrive
        settle(boot(keeper), keeper)
        assert keeper.wire == [0x10, 0x82, 0x10, 0x10, 0x82]


def test_what_has_no_room_after_a_change_is_counted_and_told_and_the_rest_is_kept():
    for change, room in (({"slot_size": 20}, 2), ({"slots": 2}, 0)):
        with Disk():
            client = boot(Keeper())
            for size in (1, 30, 1):
                client.publish("t", b"x" * size, 1)
            keeper = Keeper()
            client = boot(keeper, **change)
            assert client._store.lost == client.counters["store_errors"] == 1 and client.room() == room
            settle(client, keeper)
            assert len(keeper.got) == 2


def test_inbound_ids_that_have_no_room_after_a_change_are_counted():
    with Disk():
        keeper = Keeper()
        keeper.silent = (5,)
        client = boot(keeper)
        settle(client, keeper)
        for _ in range(3):
            keeper.send(b"x", 2)
        settle(client, keeper)
        client = boot(keeper, qos2_ids=1)
        assert client._store.lost == client._store.errors == 2 and len(client._engine.ids) == 1


def test_a_slot_size_that_a_record_can_not_tell_is_refused():
    with Disk():
        assert isinstance(error(lambda: boot(Keeper(), slot_size=65536)), ValueError)


def test_a_block_of_memory_keeps_what_a_file_keeps():
    block, keeper = Block(), Keeper()
    keeper.silent = (6,)
    client = boot(keeper, MemoryStore(512, block.read, block.write))
    settle(client, keeper)
    client.publish("t", b"released", 2)
    settle(client, keeper)
    keeper.silent = (6, 3)
    client.publish("t", b"sent", 2)
    settle(client, keeper)
    client.publish("t", b"queued", 1)
    keeper.silent = ()
    client = boot(keeper, MemoryStore(512, block.read, block.write))
    assert client.room() == 1
    settle(client, keeper)
    assert keeper.got == [b"released", b"sent", b"queued"] and len(block.data) == 512
    assert keeper.wire.count(0x10) == 2 and keeper.wire.count(0x82) == 1


def test_memory_that_is_full_is_told_and_used_again_when_there_is_room():
    block, keeper, told = Block(), Keeper(), []
    client = boot(keeper, MemoryStore(128, block.read, block.write), client_id="me")
    client.on_error = told.append
    for number in range(4):
        client.publish("t", b"%040d" % number, 1)
        client.poll()
    assert client._store.errors == len(told) == 1 and told[0].args[0] == 28
    assert boot(keeper, MemoryStore(128, block.read, block.write)).room() == 3
    settle(client, keeper)
    assert len(keeper.got) == 4 and client._store.errors == len(told)
    client.disconnect(0)
    assert boot(keeper, MemoryStore(128, block.read, block.write)).room() == 4


def test_what_failed_at_load_is_told_when_somebody_can_hear():
    with Disk({"log": b"garbage"}):
        client = boot(Keeper())
        told = []
        client.on_error = told.append
        client.poll()
        assert len(told) == 1 and "set aside" in str(told[0])
        client.poll()
        assert len(told) == 1


def test_a_failure_at_disconnect_is_told():
    block, keeper, told = Block(), Keeper(), []
    client = boot(keeper, MemoryStore(512, block.read, block.write), client_id="me")
    client.on_error = told.append
    settle(client, keeper)
    client.publish("t", b"1", 1)

    def fails(data):
        raise OSError(5)

    client._store._sink = fails
    client.disconnect(0)
    assert [e.args[0] for e in told] == [5] and client.state == "offline"


def test_a_filter_given_up_just_before_the_cut_is_asked_for_again_when_it_is_wanted():
    with Disk():
        keeper = Keeper()
        client = boot(keeper)
        settle(client, keeper)
        client.unsubscribe("in")
        client.poll()
        client.poll()  # UNSUBSCRIBE goes out, and then the power
        del keeper.wire[:]
        settle(boot(keeper), keeper)
        assert keeper.wire == [0x10, 0x82]


def test_mqtt_3_1_takes_a_session_of_an_earlier_boot_for_kept():
    with Disk():
        boot(Keeper(), level=3, client_id="me").publish("t", b"1", 2)
        assert boot(Keeper(), level=3, client_id="me")._engine.connect.held
