"""Our client against real brokers, on CPython and as a MicroPython process.

Rule: each test is a sentence about every broker that can do it (see brokers.py); scripts/alone.py and kept.py
say in detail what has to happen. Here our clients are among themselves; other programs are in test_far_ends.py.
"""
import contextlib
import json
import socket

import brokers
import near
import pytest
from near import play

IDLE_MS = 7000  # mosquitto looks for silent clients every 5 s


def those(ability):
    """The brokers that have an ability."""
    able = [broker for broker in brokers.ALL if getattr(broker, ability)]
    return pytest.mark.parametrize("_broker_class", able, ids=lambda broker: broker.name)


def test_it_connects_and_disconnects(kind, broker, uid):
    play(kind, "alone", "connects_and_disconnects", broker, uid)


def test_every_qos_goes_both_ways(kind, broker, uid):
    play(kind, "alone", "every_qos_both_ways", broker, uid)


def test_drain_ends_when_all_is_out(kind, broker, uid):
    play(kind, "alone", "drain_ends_when_all_is_out", broker, uid)


def test_the_will_comes_of_a_cut_and_not_of_a_disconnect(kind, broker, uid):
    play(kind, "alone", "the_will_comes_of_a_cut_and_not_of_a_disconnect", broker, uid)


def test_a_retained_message_waits_for_who_subscribes_later(kind, broker, uid):
    play(kind, "alone", "a_retained_message_waits_for_who_subscribes_later", broker, uid)


def test_each_handler_gets_what_its_filter_matches(kind, broker, uid):
    play(kind, "alone", "each_handler_gets_what_its_filter_matches", broker, uid)


def test_each_filter_subscribed_gets_its_messages(kind, broker, uid):
    play(kind, "alone", "each_filter_subscribed_gets_its_messages", broker, uid)


def test_a_topic_with_a_dollar_is_not_for_wildcards(kind, mosquitto, uid):
    play(kind, "alone", "a_topic_with_a_dollar_is_not_for_wildcards", mosquitto, uid)


def test_what_is_granted_is_told_per_filter(kind, broker, uid):
    play(kind, "alone", "what_is_granted_is_told_per_filter", broker, uid)


def test_messages_stop_with_unsubscribe(kind, broker, uid):
    play(kind, "alone", "messages_stop_with_unsubscribe", broker, uid)


@those("keeps_sessions")
def test_what_came_while_away_is_delivered(kind, broker, uid):
    queued_qos = 2 if broker.queues_qos2_once else 1
    play(kind, "kept", "what_came_while_away_is_delivered", broker, uid, queued_qos=queued_qos)


@those("keeps_sessions")
def test_what_was_accepted_while_away_is_sent(kind, broker, uid):
    play(kind, "kept", "what_was_accepted_while_away_is_sent", broker, uid)


@those("keeps_sessions")
def test_after_a_lost_session_it_subscribes_again(kind, broker, uid):
    play(kind, "kept", "after_a_lost_session_it_subscribes_again", broker, uid)


@those("has_mqtt31")
def test_mqtt_31_does_the_same(kind, broker, uid):
    play(kind, "kept", "mqtt_31_does_the_same", broker, uid)


@those("has_mqtt31")
def test_mqtt_31_keeps_its_session(kind, broker, uid):
    play(kind, "kept", "mqtt_31_keeps_its_session", broker, uid)


@those("takes_over")
def test_who_is_taken_over_is_told(kind, broker, uid):
    play(kind, "kept", "who_is_taken_over_is_told", broker, uid)


@those("takes_over")
def test_two_that_fight_for_an_id_back_off(kind, broker, uid):
    play(kind, "kept", "two_that_fight_for_an_id_back_off", broker, uid)


def test_a_handler_may_publish_and_subscribe(kind, broker, uid):
    play(kind, "kept", "a_handler_may_publish_and_subscribe", broker, uid)


def test_a_handler_may_disconnect(kind, broker, uid):
    play(kind, "kept", "a_handler_may_disconnect", broker, uid)


def test_a_handler_may_close(kind, broker, uid):
    play(kind, "kept", "a_handler_may_close", broker, uid)


def test_what_a_handler_raises_leaves_poll(kind, broker, uid):
    play(kind, "kept", "what_a_handler_raises_leaves_poll", broker, uid)


def test_refused_credentials_have_a_name(kind, mosquitto, uid):
    with brokers.Mosquitto(user="ann", password="secret") as own:
        play(kind, "alone", "refused_credentials_have_a_name", own, uid)


def test_what_is_refused_is_told_per_filter(kind, mosquitto, uid, tmp_path):
    plugin = brokers.dynamic_security()
    if not plugin:
        pytest.skip("mosquitto's plugin for dynamic security is not installed")
    refuse = {"acltype": "subscribePattern", "topic": "secret/#", "allow": False}
    allowed = "publishClientSend", "publishClientReceive", "subscribe", "unsubscribe"
    rules = {
        "defaultACLAccess": dict.fromkeys(allowed, True),
        "groups": [{"groupname": "all", "roles": [{"rolename": "role"}]}],
        "roles": [{"rolename": "role", "acls": [refuse]}],
        "anonymousGroup": "all",
    }
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    settings = f"plugin {plugin}\nplugin_opt_config_file {tmp_path / 'rules.json'}"
    with brokers.Mosquitto(settings=settings) as own:
        play(kind, "alone", "what_is_refused_is_told_per_filter", own, uid)


def silent_client(broker):
    """A link whose client asked for a keepalive of 1 s and never says anything again."""
    link = socket.create_connection((broker.host, broker.port), timeout=1)
    link.sendall(b"\x10\x12\x00\x04MQTT\x04\x02\x00\x01\x00\x06silent")
    assert link.recv(4)[3] == 0
    return link


def test_a_link_where_nothing_is_said_stays_up(broker, uid):
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(silent_client(broker))
        scenario = "alone", "a_link_where_nothing_is_said_stays_up", broker.url
        sides = [near.begin(kind, *scenario, f"{uid}-{kind}", ms=IDLE_MS) for kind in near.available()]
        for side in sides:
            stack.enter_context(side)
        for side in sides:
            side.finish()
        if broker.drops_silent_clients:
            assert silent.recv(1) == b""
